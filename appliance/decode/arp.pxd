cimport cython
from appliance.model.packet cimport Packet
from appliance.decode.ethernet cimport u16

@cython.locals(frame=bytes, off=Py_ssize_t)
cpdef int arp(Packet packet) except? -1
@cython.locals(off=Py_ssize_t)
cpdef str _mismatch(Packet packet)
