import cython

cdef class BoundPolicies:
    cdef public tuple policies
    cdef public object unknown
    cdef public long long epoch
    cdef public bint empty, plain
    cdef tuple _interfaces
    cdef dict _by_identity
    @cython.locals(index=Py_ssize_t)
    cpdef policy_of(self, interface)
