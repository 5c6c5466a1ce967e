cdef class FlowVerdict:
    cdef public long long epoch, until
    cdef public object verdict, later
    cdef public bint swapped, per_packet, half_open, quiet
    cdef public tuple tallies
