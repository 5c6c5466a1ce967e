cdef class Flow:
    cdef public long long id, first, last, timeout, first_number, place
    cdef public object key
    cdef public int proto, ip_version, cport, sport, icmp_type, icmp_code
    cdef public unsigned int spi
    cdef public bytes client, server, ether_client, ether_server
    cdef public tuple vlans
    cdef public int ttl_min_ts, ttl_max_ts, ttl_min_tc, ttl_max_tc
    cdef public int tenant, depth, state, flags, epoch, queue, kernel, generation
    cdef public long long pkts_ts, pkts_tc, bytes_ts, bytes_tc, tx_id
    cdef public object tcp, app, client_if, server_if, judged, bits, ints, vars, detect
    cdef public str app_proto, reason, action_by, exception, end_reason
    cdef public Flow parent, newer, older
    cpdef begin(self, int proto, bytes client, bytes server, int cport, int sport)
