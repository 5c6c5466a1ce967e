from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet

cdef class Context:
    cdef public Packet packet
    cdef public Flow flow
    cdef public object tx
    cdef public long long now, base, stamp
    cdef public int direction, steps
    cdef public Py_ssize_t cursor
    cdef public bint final, established
    cdef public bytes data, lowered, decoded
    cdef public list events, values, captures, replaces
    cdef public str endian
    cdef public dict counters
    cpdef start(self, packet, flow, long long now, int direction)
    cpdef look_at(self, bytes data, long long base, bint final)
    cpdef bytes lower(self)
    cpdef count(self, str name)
