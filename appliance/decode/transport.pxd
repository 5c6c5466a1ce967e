cimport cython
from appliance.model.packet cimport Packet

@cython.locals(frame=bytes, off=Py_ssize_t, left=Py_ssize_t, length=int)
cpdef udp(Packet packet)
@cython.locals(frame=bytes, off=Py_ssize_t)
cpdef sctp(Packet packet)
cpdef esp(Packet packet)
cpdef igmp(Packet packet)
