cimport cython
from appliance.detect.context cimport Context
from appliance.detect.matchers cimport Matcher
from appliance.model.flow cimport Flow

cdef class FlowBitCheck(Matcher):
    cdef public tuple names
    cdef public bint wanted
    @cython.locals(flow=Flow)
    cpdef bint match(self, Context ctx) except -1

cdef class FlowIntCheck(Matcher):
    cdef public str name, modifier
    cdef public object value
    cpdef bint match(self, Context ctx) except -1

cdef class HostBitCheck(Matcher):
    cdef public tuple names
    cdef public str track
    cdef public bint wanted
    cdef public object table
    cpdef bint match(self, Context ctx) except -1
