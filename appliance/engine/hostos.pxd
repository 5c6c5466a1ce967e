cdef class HostOs:
    cdef dict _vms, _known
    cdef list _prefixes
    cdef bint _plain
    cpdef str of(self, bytes address)
    cpdef str _find(self, bytes address)
