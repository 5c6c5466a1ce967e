cdef class TcpSegment:
    cdef public long long start, stop, first, last, skip
    cdef public bytes data

cdef class TcpPeer:
    cdef public unsigned int isn, base_seq, next_seq, last_ack, window, edge, fin_seq
    cdef public int wscale, tcp_flags, flags, gaps, synacks, urgent
    cdef public long long ts_last, ts_seen, delivered, held, kept, position
    cdef public bint closed, depth_reached
    cdef public str os_policy
    cdef public list segments, buffer
    cpdef begin(self)

cdef class TcpSession:
    cdef public int state, previous, flags, tcp_flags
    cdef public TcpPeer client, server
    cdef public list queue
    cpdef begin(self)
