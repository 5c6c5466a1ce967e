import cython

from appliance.firewall.end cimport End
from appliance.model.identity cimport VmInterface

cdef int IN, OUT

@cython.final
cdef class BoundPolicies:
    cdef public tuple policies, identities
    cdef public list strangers
    cdef public object unknown
    cdef public long long epoch
    cdef public bint empty, plain, scans
    cdef tuple _interfaces
    cdef list _senders, _receivers
    cdef bytes _wishes
    cdef dict _by_identity
    @cython.locals(found=BoundPolicies, place=Py_ssize_t)
    cpdef following(self, policies, unknown, epoch)
    @cython.locals(end=End)
    cpdef End sender(self, Py_ssize_t index)
    @cython.locals(end=End)
    cpdef End receiver(self, Py_ssize_t index)
    @cython.locals(index=Py_ssize_t)
    cpdef policy_of(self, VmInterface interface)
    @cython.locals(index=Py_ssize_t)
    cpdef Py_ssize_t index_of(self, VmInterface interface) except -2
    @cython.locals(index=Py_ssize_t, known=VmInterface)
    cpdef Py_ssize_t rule_index(self, VmInterface interface) except -2
    @cython.locals(first=Py_ssize_t, second=Py_ssize_t, bits=int)
    cpdef int wishes(self, VmInterface one, VmInterface other) except -1
