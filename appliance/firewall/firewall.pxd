import cython

from appliance.firewall.bound cimport BoundPolicies
from appliance.firewall.judgement cimport FlowVerdict
from appliance.firewall.scan cimport Blocks
from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet

cdef int F_DROPPED, F_REJECTED, F_SWAPPED, PROTO_TCP, TH_SYN, TOSERVER, _OPENING

cdef class Firewall:
    cdef public BoundPolicies bound
    cdef public object tallies, guard
    cdef Blocks _blocks
    @cython.locals(judged=FlowVerdict)
    cpdef bint stale(self, Flow flow, long long now) except -1
    @cython.locals(judged=FlowVerdict)
    cpdef bint passes(self, Flow flow, long long now) except -1
    @cython.locals(judged=FlowVerdict)
    cpdef object judge(self, Packet packet, Flow flow, long long now)
    cpdef bint _holds(self, FlowVerdict judged, Flow flow, long long now) except -1
    @cython.locals(swapped=bint)
    cpdef bint _current(self, FlowVerdict judged, Flow flow, long long now) except -1
    @cython.locals(judged=FlowVerdict)
    cpdef object _judge(self, Packet packet, Flow flow, long long now)
    @cython.locals(judged=FlowVerdict)
    cpdef flow_established(self, Flow flow)
    @cython.locals(judged=FlowVerdict)
    cpdef flow_ended(self, Flow flow)
