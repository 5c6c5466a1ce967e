cimport cython
from appliance.model.packet cimport Packet
from appliance.stream.result cimport StreamResult


@cython.final
cdef class Judge:
    cdef public bint drop_invalid, drop_odd

    cpdef bint invalid(self, str event, StreamResult result)
    cpdef bint odd(self, str event, Packet packet, StreamResult result)
