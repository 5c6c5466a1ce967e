import cython

from appliance.firewall.bound cimport BoundPolicies
from appliance.firewall.ends cimport both, ends_of, index_of, judge_end, tracking
from appliance.firewall.judgement cimport FlowVerdict, combine
from appliance.firewall.limits cimport Tallies, Tally
from appliance.firewall.scan cimport Blocks
from appliance.firewall.subject cimport Subject, of_flow, of_packet
from appliance.model.flow cimport Flow
from appliance.model.identity cimport VmInterface
from appliance.model.packet cimport Packet
from appliance.model.tcp cimport TcpSession

cdef int F_DROPPED, F_KNOWN, F_REJECTED, F_SWAPPED, PROTO_TCP, TH_SYN, TOSERVER, _ESTABLISHED, _OPENING
cdef long long FOREVER, MINUTE
cdef object ALLOWED, _ACCEPT

cdef class Firewall:
    cdef public BoundPolicies bound
    cdef public Tallies tallies
    cdef public object guard
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
    @cython.locals(judged=FlowVerdict, here=list)
    cpdef object _judge(self, Packet packet, Flow flow, long long now)
    cpdef tuple _scan(self, Packet packet, list here, bint opens, long long now)
    @cython.locals(before=FlowVerdict, verdict=FlowVerdict, ends=list, tracked=list, said=tuple, own=bint)
    cpdef object _judge_flow(self, Packet packet, Flow flow, list here, long long now)
    @cython.locals(until="long long")
    cpdef FlowVerdict _verdict(self, object judgement, Flow flow, list ends, long long now)
    @cython.locals(subject=Subject, found=tuple, end=tuple)
    cpdef tuple judge_ends(self, Packet packet, Flow flow, list ends, long long now, int depth=*)
    @cython.locals(opening=bint, tallies=list, end=tuple, tally=Tally, interface=VmInterface)
    cpdef object _count(self, Packet packet, FlowVerdict verdict, list ends, long long now)
    @cython.locals(judged=FlowVerdict)
    cpdef bint final(self, Flow flow) except -1
    cpdef bint _half_open(self, FlowVerdict judged, Flow flow) except -1
    @cython.locals(judged=FlowVerdict, tally=Tally)
    cpdef flow_established(self, Flow flow)
    @cython.locals(judged=FlowVerdict, tally=Tally)
    cpdef flow_ended(self, Flow flow)
    cpdef list packet_ends(self, Packet packet)
    cpdef list flow_ends(self, Packet packet, Flow flow)
    cpdef Subject packet_subject(self, Packet packet)
    @cython.locals(source=int, target=int)
    cpdef Subject flow_subject(self, Packet packet, Flow flow)

@cython.locals(end=tuple)
cpdef bint _timed(list ends) except -1
cpdef bint _allow(tuple said) except -1
cpdef tuple _interfaces(Packet packet, Flow flow)
cpdef bint _opens(Packet packet, Flow flow) except -1
cpdef object _not_opened(Packet packet, Flow flow, list ends)
@cython.locals(tcp=TcpSession)
cpdef bint _is_established(Flow flow) except -1
@cython.locals(before=FlowVerdict)
cpdef _remember(Flow flow, FlowVerdict verdict, object judgement)
