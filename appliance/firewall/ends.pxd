cimport cython
from appliance.firewall.bound cimport BoundPolicies
from appliance.firewall.judgement cimport combine
from appliance.model.identity cimport VmInterface
from appliance.firewall.match cimport RuleTable
from appliance.firewall.subject cimport Subject

cdef int IN, OUT, FRAME_RARP
cdef dict _said, _both

@cython.locals(sender=Py_ssize_t, receiver=Py_ssize_t, ends=list)
cpdef list ends_of(BoundPolicies bound, VmInterface source, VmInterface target, bint inner)
@cython.locals(index=Py_ssize_t, bound_to=VmInterface)
cpdef int index_of(BoundPolicies bound, VmInterface interface) except -2
@cython.locals(found=list, end=tuple)
cpdef list tracking(list ends, int proto)
@cython.locals(direction=int, logged=list, table=RuleTable, key=tuple, known=tuple)
cpdef object judge_end(tuple end, Subject subject, long long now)
@cython.locals(key=tuple, known=tuple)
cpdef object both(tuple ends)
