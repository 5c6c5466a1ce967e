cimport cython
from appliance.model.cut cimport cut
from appliance.model.packet cimport Packet
from appliance.decode.ipoptions cimport walk

@cython.locals(frame=bytes, head="const unsigned char*", off=Py_ssize_t, first=int, hlen=int, total=int, flags=int)
cpdef int ipv4(Packet packet) except? -1
cpdef str _why(int version, int hlen, int total)
