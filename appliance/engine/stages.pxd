cimport cython
from appliance.decode.quoted cimport embedded
from appliance.engine.applications cimport judge
from appliance.engine.arrival cimport checksum, defragment, identify, readable, report_anomalies
from appliance.engine.counters cimport count_session
from appliance.engine.inspection cimport prevents, run_rules
from appliance.engine.lifecycle cimport rest
from appliance.engine.parts cimport Parts
from appliance.engine.work cimport Work
from appliance.firewall.firewall cimport Firewall
from appliance.firewall.judgement cimport Judgement
from appliance.flow.key cimport trackable
from appliance.flow.table cimport FlowTable
from appliance.model.app cimport AppState
from appliance.model.chunk cimport Chunk
from appliance.model.flow cimport Flow
from appliance.model.origin cimport Origin
from appliance.model.packet cimport Packet
from appliance.model.tcp cimport TcpSession
from appliance.stream.result cimport StreamResult

cdef int F_BYPASS, F_DROPPED, F_MISSED, F_NO_PAYLOAD_INSPECT, F_SWAPPED, SETTLED, PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP
cdef object ACCEPTED, _NONE
cdef int _ACCEPT, _BYPASS, _INSISTENT, W_CLOSES, W_INSISTS
cdef bint _CONTINUE, _STOP
cdef int _CLOSED

@cython.locals(packet=Packet, flow=Flow, table=FlowTable)
cpdef bint find_flow(Parts pipe, Work work) except -1
@cython.locals(flow=Flow, firewall=Firewall, judgement=Judgement, unjudged=bint, stale=bint, bypass=bint, bypassed=bint)
cpdef bint filter_packet(Parts pipe, Work work) except -1
@cython.locals(flow=Flow)
cpdef bint shed_load(Parts pipe, Work work) except -1
cdef bint _insists(Parts pipe, Flow flow) except -1
@cython.locals(packet=Packet, flow=Flow, result=StreamResult, known=bint)
cpdef bint track_stream(Parts pipe, Work work) except -1
@cython.locals(chunk=Chunk)
cpdef _count_gaps(Parts pipe, list chunks)
@cython.locals(origin=Origin)
cpdef bint _refuse_unseen(Parts pipe, Work work) except -1
@cython.locals(packet=Packet, flow=Flow, tcp=TcpSession, chunk=Chunk, known=str, failing=bint, swapped=int, udp=bint)
cpdef bint parse_application(Parts pipe, Work work) except -1
@cython.locals(depth="long long")
cpdef _cut(Parts pipe, Work work, Flow flow, TcpSession tcp)
cpdef bint _refused(Work work) except -1
@cython.locals(state=AppState)
cpdef bint _failed(Flow flow) except -1
cpdef bint detect(Parts pipe, Work work) except -1
@cython.locals(flow=Flow)
cpdef bint log_application(Parts pipe, Work work) except -1
cpdef run_all(Parts pipe, Work work)
