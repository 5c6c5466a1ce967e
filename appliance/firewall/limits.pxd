cimport cython

cdef long long _SECOND

@cython.final
cdef class Tally:
    cdef public long long number, connections, half_open, refilled
    cdef public object credit
    cpdef refill(self, object limits, long long now)
    cpdef object refuses(self, object limits, bint tcp, bint opening, long long now)
    cpdef take(self, bint half_open, bint rated)
    cpdef give_back(self, bint half_open)

@cython.final
cdef class Tallies:
    cdef dict _by_identity
    cdef int _next
    cdef list _by_index
    cdef tuple _identities
    cpdef Tally of(self, Py_ssize_t index)
