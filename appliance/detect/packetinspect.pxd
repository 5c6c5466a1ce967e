import cython

from appliance.detect.addresses cimport AddressIndex
from appliance.detect.context cimport Context
from appliance.detect.matchers cimport Matcher
from appliance.detect.prefilter cimport ContentTable, PacketGroup, PatternTable
from appliance.detect.shapes cimport Shapes
from appliance.detect.signature cimport Signature
from appliance.detect.state cimport FlowDetect, StreamTail
from appliance.detect.steps cimport inspect
from appliance.model.app cimport AppState
from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet
from appliance.model.tcp cimport TcpSession

cdef int F_IPONLY_TC, F_IPONLY_TS, F_NO_PAYLOAD_INSPECT
cdef int _ESTABLISHED, PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP, TH_SYN, S_FAST_OPEN
cdef tuple _ACCEPTED

cdef class PacketInspector:
    cdef object _ruleset, _settings, _profile, _tail
    cdef Context _ctx
    cdef AddressIndex _address_only
    cdef list _signatures, _groups, _shapes, _non_ip
    cdef set _candidates
    cdef StreamTail _now
    cdef bint _addresses, _by_protocol, _streamed
    cdef bytes _payload, _stream
    cdef public bint enforcing
    @cython.locals(candidates=set, chosen=tuple, signature=Signature, tail=StreamTail)
    cpdef inspect(self, FlowDetect state, allowed, list found)
    @cython.locals(signatures=list)
    cpdef list _in_order(self, tuple chosen, set candidates)
    @cython.locals(packet=Packet, flow=Flow, skip=bint, tail=StreamTail)
    cpdef _look(self, FlowDetect state)
    @cython.locals(table=ContentTable, candidates=set, signature=Signature, pattern=Py_ssize_t)
    cpdef _before_holes(self, StreamTail tail, allowed, list found)
    @cython.locals(packet=Packet, flow=Flow, flag=int)
    cpdef _by_address(self, FlowDetect state, set candidates)
    @cython.locals(app=AppState, flow=Flow, here=int, direction=int, bit=int, told=int, again=int)
    cpdef _by_application(self, FlowDetect state, set candidates)
    @cython.locals(packet=Packet, own=bint, place=int, stream=bint, shapes=Shapes, group=PacketGroup, streams=bint)
    cpdef tuple _by_content(self, set candidates)
    @cython.locals(end="long long", tail=StreamTail, apart=bint, pattern=Py_ssize_t)
    cpdef _search_tail(self, ContentTable table, set candidates)
    @cython.locals(pattern=Py_ssize_t)
    cpdef _search_payload(self, ContentTable table, set candidates, bint streams)
    @cython.locals(table=PatternTable)
    cpdef _by_header(self, PacketGroup group, set candidates)
    @cython.locals(packet=Packet)
    cpdef _by_event(self, set candidates)
    @cython.locals(source=str)
    cpdef _try(self, Signature signature, list found)
    @cython.locals(ctx=Context, matcher=Matcher)
    cpdef str _evaluate(self, Signature signature)
    @cython.locals(app=AppState, flow=Flow, packet=Packet)
    cpdef bint _application_fits(self, wanted) except -1
    @cython.locals(packet=Packet)
    cpdef str _evaluate_payload(self, Signature signature)
    @cython.locals(data=bytes, base="long long")
    cpdef bint _in_stream(self, Signature signature, tail) except -1
    cpdef bytes _bytes(self, tail)
    cpdef tuple payload_view(self)

@cython.locals(packet=Packet, flow=Flow, tcp=TcpSession)
cpdef bint _in_stream(Context ctx) except -1
@cython.locals(tcp=TcpSession)
cpdef bint _never_opened(Context ctx) except -1
cpdef int _class(int protocol)
