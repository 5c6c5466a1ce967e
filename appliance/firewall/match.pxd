cimport cython
from appliance.firewall.subject cimport Subject

@cython.final
cdef class AddressIndex:
    cdef public object default
    cdef public list starts4, vectors4, starts6, vectors6
    cdef public bint known
    cdef public dict members, others
    @cython.locals(size=Py_ssize_t)
    cpdef object lookup(self, bytes address, int interface)

@cython.final
cdef class PortIndex:
    cdef public object default
    cdef public list starts, vectors
    cpdef object lookup(self, int port)

@cython.final
cdef class Block:
    cdef public list rules
    cdef public AddressIndex source, destination
    cdef public PortIndex source_ports, destination_ports
    cdef public dict frames, protocols
    cdef public object frames_default, protocols_default, unindexed
    cpdef object candidates(self, Subject subject)
    cpdef object match(self, Subject subject, long long now, list logged)

@cython.final
cdef class RuleTable:
    cdef public list blocks
    cdef public int count
    cdef public bint timed
    @cython.locals(block=Block)
    cpdef object match(self, Subject subject, long long now, list logged)

cpdef bint unindexed_holds(object rule, Subject subject, long long now)
