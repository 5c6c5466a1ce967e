import cython

from appliance.firewall.bound cimport BoundPolicies
from appliance.firewall.end cimport End
from appliance.firewall.ends cimport both, ends_of, judge_end, tracking
from appliance.firewall.judgement cimport EndJudgement, FlowVerdict, Judgement, combine
from appliance.firewall.limits cimport Tallies, Tally
from appliance.firewall.scan cimport Blocks
from appliance.firewall.subject cimport Subject, of_flow, of_packet
from appliance.model.flow cimport Flow
from appliance.model.identity cimport VmInterface
from appliance.model.packet cimport Packet
from appliance.model.tcp cimport TcpSession

cdef int F_DROPPED, F_KNOWN, F_REJECTED, F_SWAPPED, PROTO_TCP, TH_SYN, TOSERVER
cdef int _ESTABLISHED, _OPENING, _PASSES
cdef long long FOREVER, MINUTE
cdef object ALLOWED

@cython.final
cdef class Firewall:
    cdef public BoundPolicies bound
    cdef public Tallies tallies
    cdef public object guard
    cdef Blocks _blocks
    @cython.locals(judged=FlowVerdict)
    cpdef bint stale(self, Flow flow, long long now) except -1
    @cython.locals(judged=FlowVerdict)
    cpdef bint passes(self, Flow flow, long long now) except -1
    @cython.locals(judged=FlowVerdict, answer=Judgement)
    cpdef Judgement judge(self, Packet packet, Flow flow, long long now)
    cpdef bint _holds(self, FlowVerdict judged, Flow flow, long long now) except -1
    @cython.locals(swapped=bint)
    cpdef bint _current(self, FlowVerdict judged, Flow flow, long long now) except -1
    @cython.locals(judged=FlowVerdict, answer=Judgement, block=EndJudgement)
    cpdef Judgement _judge(self, Packet packet, Flow flow, long long now)
    cpdef tuple _scan(self, Packet packet, list here, bint opens, long long now)
    @cython.locals(before=FlowVerdict, verdict=FlowVerdict, judgement=Judgement, refused=EndJudgement, ends=list, tracked=list, said=tuple, notices=tuple, own=bint, opens=bint)
    cpdef Judgement _judge_flow(self, Packet packet, Flow flow, long long now)
    @cython.locals(until="long long", made=FlowVerdict)
    cpdef FlowVerdict _verdict(self, Judgement judgement, Flow flow, list ends, long long now)
    @cython.locals(subject=Subject, found=tuple)
    cpdef tuple judge_ends(self, Packet packet, Flow flow, list ends, long long now, int depth=*)
    @cython.locals(opening=bint, tallies=list, end=End, tally=Tally)
    cpdef EndJudgement _count(self, Packet packet, FlowVerdict verdict, list ends, long long now)
    @cython.locals(judged=FlowVerdict)
    cpdef bint final(self, Flow flow) except -1
    cpdef bint _half_open(self, FlowVerdict judged, Flow flow) except -1
    @cython.locals(index=Py_ssize_t)
    cpdef bint _limits_half_open(self, Flow flow) except -1
    @cython.locals(judged=FlowVerdict, tally=Tally)
    cpdef flow_established(self, Flow flow)
    @cython.locals(judged=FlowVerdict, tally=Tally)
    cpdef flow_ended(self, Flow flow)
    cpdef list packet_ends(self, Packet packet)
    cpdef list flow_ends(self, Packet packet, Flow flow)
    @cython.locals(bound=BoundPolicies)
    cpdef Subject packet_subject(self, Packet packet)
    @cython.locals(source=int, target=int)
    cpdef Subject flow_subject(self, Packet packet, Flow flow)

@cython.locals(end=End)
cpdef bint _timed(list ends) except -1
cpdef bint _allow(tuple said) except -1
cpdef VmInterface _client_of(Packet packet, Flow flow)
cpdef VmInterface _server_of(Packet packet, Flow flow)
cpdef bint _forwards(Packet packet, Flow flow) except -1
cpdef bint _opens(Packet packet, Flow flow) except -1
@cython.locals(end=End)
cpdef EndJudgement _not_opened(Packet packet, Flow flow, list ends)
@cython.locals(tcp=TcpSession)
cpdef bint _is_established(Flow flow) except -1
@cython.locals(before=FlowVerdict)
cpdef _remember(Flow flow, FlowVerdict verdict, Judgement judgement)
