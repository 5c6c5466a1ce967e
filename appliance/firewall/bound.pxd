import cython

from appliance.model.identity cimport VmInterface

cdef class BoundPolicies:
    cdef public tuple policies, senders, receivers, identities
    cdef public object unknown
    cdef public long long epoch
    cdef public bint empty, plain, scans
    cdef tuple _interfaces
    cdef bytes _wishes
    cdef dict _by_identity
    @cython.locals(found=BoundPolicies, place=Py_ssize_t)
    cpdef following(self, policies, unknown, epoch)
    @cython.locals(index=Py_ssize_t)
    cpdef policy_of(self, VmInterface interface)
    @cython.locals(index=Py_ssize_t)
    cpdef Py_ssize_t index_of(self, VmInterface interface) except -2
    @cython.locals(first=Py_ssize_t, second=Py_ssize_t, bits=int)
    cpdef int wishes(self, VmInterface one, VmInterface other) except -1
