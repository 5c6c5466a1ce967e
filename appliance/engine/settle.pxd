cimport cython
from appliance.detect.detector cimport Detector
from appliance.detect.state cimport FlowDetect
from appliance.engine.parts cimport Parts
from appliance.engine.work cimport Work
from appliance.firewall.judgement cimport FlowVerdict
from appliance.model.flow cimport Flow
from appliance.model.origin cimport Origin, place_of
from appliance.model.packet cimport Packet
from appliance.model.tcp cimport TcpSession

cdef int W_CONTROLS, W_INSPECTED, F_BYPASS, F_DROPPED, F_KNOWN, F_PASSED, F_SWAPPED, F_WATCHED, _ENDS_WATCH
cdef int BLOCKED, SETTLED, SETTLED_ORIGINAL, SETTLED_REPLY, REPLY, UNKNOWN, P_UNSEEN
cdef int PROTO_GRE, PROTO_ICMP, PROTO_ICMPV6, PROTO_IPIP, PROTO_IPV6, PROTO_TCP, PROTO_UDP
cdef int TH_ACK, TH_SYN, TOCLIENT, TOSERVER
cdef long long FOREVER

@cython.locals(place=cython.longlong, inner=Packet)
cpdef locate(Packet packet, Origin origin)
@cython.locals(origin=Origin, packet=Packet)
cpdef orient(Parts pipe, Work work, Flow flow)
cpdef awaken(Parts pipe, Work work, Flow flow)
@cython.locals(packet=Packet, origin=Origin, tcp=TcpSession)
cpdef bint _opens_another(Work work, Flow flow) except -1
@cython.locals(flow=Flow, packet=Packet, origin=Origin, bits=int, direction=int, same=bint)
cpdef int remember(Parts pipe, Work work) except -1
@cython.locals(tcp=TcpSession, detect=FlowDetect)
cpdef bint _still_watched(Flow flow) except -1
cpdef int _about(Packet packet, Flow flow) except -1
@cython.locals(tcp=TcpSession)
cpdef _note(Parts pipe, Flow flow, int bits)
@cython.locals(judged=FlowVerdict, detector=Detector)
cpdef int _bits(Parts pipe, Packet packet, Flow flow) except -1
cpdef bint _may_carry(Parts pipe, Packet packet, Flow flow) except -1
@cython.locals(bits=int, wishes=int, inspected=bint)
cpdef int _uninspected(Parts pipe, Flow flow) except -1
cpdef int _wishes(Parts pipe, Flow flow) except -1
@cython.locals(detect=FlowDetect)
cpdef bint _over(Flow flow) except -1
@cython.locals(tcp=TcpSession, bits=int)
cpdef int _beyond_depth(Parts pipe, Flow flow) except -1
