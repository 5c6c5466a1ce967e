cimport cython
from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet
from appliance.model.tcp cimport TcpSession

cdef int PROTO_TCP, PROTO_UDP, S_MIDSTREAM, TH_ACK, TH_RST, TH_SYN, _ETHERTYPE_ARP, _TCP_SIGNS
cdef object ACCEPTED
cdef list _FLOW_ENDS, _TCP_ENDS

@cython.final
cdef class Counters:
    cdef public dict named
    cdef public long long pkts, octets, ethernet, ipv4, ipv6, tcp, udp, accepted, flows, flows_tcp, flows_udp
    cdef public long long sessions, synacks, syns
    cpdef add(self, str name, long long amount=*)
    cpdef frame(self, Packet packet)
    cpdef layers(self, Packet packet)
    cpdef _tunnel(self, Packet packet)
    cpdef _transport(self, Packet packet)
    cpdef _tcp_sign(self, int flags)
    cpdef new_flow(self, Flow flow)
    cpdef verdict(self, object decision)

@cython.locals(tcp=TcpSession)
cpdef count_session(Counters counters, Flow flow)

@cython.locals(session=TcpSession)
cpdef count_end(Counters counters, Flow flow)
