cimport cython

cdef class AddressMatcher:
    cdef public bint any
    cdef list _first, _last, _first6, _last6
    cdef dict _known
    cpdef bint has(self, bytes address) except -1

cdef class PortMatcher:
    cdef public bint any
    cdef public tuple ranges
    cpdef bint has(self, int port) except -1

cdef class AddressIndex:
    cdef public list always
    cdef list _starts, _starts6, _values, _values6
    cdef dict _known
    @cython.locals(address=bytes, found=tuple)
    cpdef collect(self, bytes source, bytes destination, set into)
    @cython.locals(known=tuple)
    cpdef tuple lookup(self, bytes address)
    cpdef tuple _search(self, bytes address)
