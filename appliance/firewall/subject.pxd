from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet

cdef class Subject:
    cdef public int frame, proto, sport, dport, src_index, dst_index, tcp_flags, icmp_type, icmp_code
    cdef public bytes src, dst, src_mac, dst_mac

cpdef bint has_ports(int proto)
cpdef Subject of_packet(Packet packet, int src_index, int dst_index)
cpdef Subject of_flow(Flow flow, int src_index, int dst_index)
