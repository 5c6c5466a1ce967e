cimport cython
from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet

cdef int PROTO_SCTP, PROTO_TCP, PROTO_UDP, TH_SYN, _IPV4, _IPV6

cdef class Subject:
    cdef public int frame, proto, sport, dport, src_index, dst_index, tcp_flags, icmp_type, icmp_code
    cdef public bytes src, dst, src_mac, dst_mac
    cpdef begin(self)

cpdef bint has_ports(int proto) noexcept
@cython.locals(subject=Subject, version=int)
cpdef Subject of_packet(Packet packet, int src_index, int dst_index)
@cython.locals(subject=Subject)
cpdef Subject of_flow(Flow flow, int src_index, int dst_index)
