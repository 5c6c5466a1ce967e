cdef object _ACCEPT, _BYPASS
cdef dict _answers

cdef class FlowVerdict:
    cdef public long long epoch, until
    cdef public object verdict, later
    cdef public bint swapped, per_packet, half_open, quiet
    cdef public tuple tallies

cpdef object later_answer(object verdict, str by)
cpdef object combine(tuple ends, tuple notices=*)
