cimport cython
from appliance.firewall.bound cimport BoundPolicies
from appliance.firewall.end cimport End
from appliance.firewall.judgement cimport EndJudgement, Judgement, combine
from appliance.firewall.subject cimport Subject
from appliance.model.identity cimport VmInterface

cdef int IN, OUT, FRAME_RARP
cdef Py_ssize_t _MAX_BOTH, _MAX_SAID
cdef dict _both

@cython.locals(sender=Py_ssize_t, receiver=Py_ssize_t)
cpdef list ends_of(BoundPolicies bound, VmInterface source, VmInterface target, bint inner)
@cython.locals(end=End)
cpdef list tracking(list ends, int proto)
@cython.locals(logged=list)
cpdef EndJudgement judge_end(End end, Subject subject, long long now)
@cython.locals(known=EndJudgement)
cpdef EndJudgement _as_before(End end, object rule)
cpdef EndJudgement _numbered(EndJudgement said)
@cython.locals(first=EndJudgement, second=EndJudgement, key="long long", known=tuple)
cpdef Judgement both(tuple ends)
