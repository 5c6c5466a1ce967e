cdef class TcpPeer:
    cdef public unsigned int isn, base_seq, next_seq, last_ack, window
    cdef public int wscale, tcp_flags, flags, gaps, synacks
    cdef public long long ts_last, ts_seen, delivered, held
    cdef public bint closed, depth_reached
    cdef public str os_policy
    cdef public object segments, buffer

cdef class TcpSession:
    cdef public int state, flags, tcp_flags
    cdef public TcpPeer client, server
    cdef public object queue
