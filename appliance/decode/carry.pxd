cimport cython
from appliance.model.packet cimport Packet

@cython.locals(inner=Packet)
cpdef Packet carry(Packet packet, str name, Py_ssize_t off, Py_ssize_t length)
