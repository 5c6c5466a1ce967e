cimport cython
@cython.final
cdef class HostOs:
    cdef dict _vms, _known
    cdef list _prefixes
    cdef str _all4, _all6
    @cython.locals(common=str, found=str)
    cpdef str of(self, bytes address)
    cpdef str _find(self, bytes address)
