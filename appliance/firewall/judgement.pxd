cimport cython
cdef object _ACCEPT, _BYPASS
cdef int _PASSES
cdef dict _answers

@cython.final
cdef class EndJudgement:
    cdef readonly str interface, direction, policy, by, section, rule
    cdef readonly object verdict, reason
    cdef readonly int strictness
    cdef readonly bint log
    cdef readonly tuple logged
    cdef public long long number

@cython.final
cdef class Judgement:
    cdef readonly object verdict, reason
    cdef readonly int strictness
    cdef readonly str by
    cdef readonly bint log
    cdef readonly tuple logged, ends, notices
    cdef Judgement _later
    cpdef Judgement later(self)

@cython.final
cdef class FlowVerdict:
    cdef public long long epoch, until
    cdef public object verdict
    cdef public Judgement later
    cdef public bint swapped, per_packet, half_open, quiet
    cdef public tuple tallies
    cpdef begin(self, long long epoch, Judgement judgement, bint swapped, long long until)

cpdef Judgement later_answer(object verdict, str by)
cpdef Judgement combine(tuple ends, tuple notices=*)
cpdef int _strictness(EndJudgement end)
