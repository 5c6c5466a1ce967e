cdef class AddressMatcher:
    cdef public bint any
    cdef list _first, _last, _first6, _last6
    cdef dict _known
    cpdef bint has(self, bytes address) except -1

cdef class PortMatcher:
    cdef public bint any
    cdef public tuple ranges
    cpdef bint has(self, int port) except -1
