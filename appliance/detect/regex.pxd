cimport cython
from appliance.detect.context cimport Context
from appliance.detect.steps cimport Step, follow

cdef int ABORT, NO

cdef class PcreStep(Step):
    cdef public bint negated
    cdef public tuple captures
    cdef public object regex
    @cython.locals(start=Py_ssize_t, failed=int, result=int, kept=Py_ssize_t)
    cpdef int run(self, list chain, Py_ssize_t index, Context ctx) except? -9
    cpdef _search(self, subject, Py_ssize_t start, Context ctx)
    cpdef _capture(self, found, Context ctx)
