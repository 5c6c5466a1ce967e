cdef class Context:
    cdef public object packet, flow, tx
    cdef public long long now, base
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
