from appliance.model.cut cimport cut

cdef class Packet:
    cdef public bytes frame, eth_src, eth_dst, src, dst, link, tcp_opts
    cdef public bytes arp_sha, arp_spa, arp_tha, arp_tpa
    cdef public int linktype, ethertype, ip_version, proto, ttl, tos
    cdef public long long now, number, place
    cdef public Py_ssize_t wirelen, ip_off, ip_hlen, ip_len, l4_off, payload_off, payload_len
    cdef public tuple vlans, ip_opts, ext_headers
    cdef public unsigned int ip_id, seq, ack
    cdef public int frag_off
    cdef public Py_ssize_t start, frag_hdr, frag_prev
    cdef public bint more_frags, dont_frag, ip_reserved, sack_ok, rebuilt, pseudo
    cdef public int sport, dport, tcp_flags, tcp_hlen, window, urgent, mss, wscale, sacks
    cdef public long long ts_val, ts_ecr
    cdef public int icmp_type, icmp_code, icmp_id, icmp_seq, arp_op
    cdef public int csum, depth, direction, tenant
    cdef public list anomalies
    cdef public str tunnel
    cdef public Packet inner, outer
    cdef public object src_if, dst_if, flow
    cpdef begin(self, bytes frame, int linktype, long long now, long long number)
    cpdef bytes payload(self)
    cpdef bint is_fragment(self)
    cpdef note(self, str anomaly)
