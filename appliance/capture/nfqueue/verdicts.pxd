cimport cython

cdef long long _ACCEPT, _DROP
cdef int BLOCKED
cdef object ACCEPTED

cpdef long long code_of(decision, long long mark) except -1

cdef class Outbox:
    cdef public int queue
    cdef public long long fallback, last, open, sent
    cdef long long _front
    cdef public bint holes
    cdef list _ids, _codes
    cdef tuple _heads
    cpdef received(self, long long number)
    cpdef judged(self, long long number, long long code)
    @cython.locals(ids=list, codes=list, runs=bint, out=list)
    cpdef bytes take(self)
    cdef bint _sort(self) except -1
    @cython.locals(out=list, count=Py_ssize_t, first=Py_ssize_t, after=Py_ssize_t, code=cython.longlong,
                   following=cython.longlong)
    cdef list _runs(self, list ids, list codes)
    @cython.locals(mark=cython.longlong)
    cdef bytes _one(self, long long number, long long code, int kind)

@cython.locals(number=cython.longlong)
cdef bint _follow(list ids, long long front) except -1
@cython.locals(last=cython.longlong, number=cython.longlong)
cdef bint _rising(list ids) except -1
