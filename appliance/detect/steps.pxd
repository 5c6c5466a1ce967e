cimport cython
from appliance.detect.context cimport Context

cdef int ABORT, MATCH, NO, STEP_LIMIT

cdef class Step:
    cdef public bint relative, retry
    cpdef int run(self, list chain, Py_ssize_t index, Context ctx) except? -9

cdef class Check(Step):
    cpdef bint test(self, Context ctx) except -1

@cython.locals(step=Step)
cpdef int follow(list chain, Py_ssize_t index, Context ctx) except? -9
cpdef bint inspect(list chain, bytes data, long long base, bint final, Context ctx) except -1
cpdef number(constant, int variable, Context ctx)
