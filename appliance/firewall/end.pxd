cimport cython
from appliance.firewall.judgement cimport EndJudgement
from appliance.firewall.match cimport RuleTable
from appliance.model.identity cimport VmInterface

cdef int OUT

@cython.final
cdef class End:
    cdef readonly object policy, scan, limits
    cdef readonly int direction
    cdef readonly VmInterface interface
    cdef readonly RuleTable table
    cdef readonly frozenset tracked
    cdef readonly bint half_opens, limited, rated, strict, timed
    cdef public EndJudgement usual
    cdef public dict said
    cpdef bint tracks(self, int proto) except -1
