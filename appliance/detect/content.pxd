import cython

from appliance.detect.context cimport Context
from appliance.detect.steps cimport Step, follow, number

cdef class ContentStep(Step):
    cdef public bytes pattern, replace
    cdef public Py_ssize_t size
    cdef public bint nocase, negated, endswith, has_within, absolute_depth, fixed
    cdef public object distance, within, offset, depth
    cdef public int distance_var, within_var, offset_var, depth_var
    @cython.locals(data=bytes, size=Py_ssize_t, low=Py_ssize_t, high=Py_ssize_t, place=Py_ssize_t,
                   failed=int, result=int)
    cpdef int run(self, list chain, Py_ssize_t index, Context ctx) except? -9
    cpdef low(self, Context ctx)
    cpdef high(self, Context ctx, Py_ssize_t size)
