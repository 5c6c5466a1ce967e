cimport cython
from appliance.detect.context cimport Context
from appliance.detect.matchers cimport Matcher
from appliance.detect.steps cimport inspect
from appliance.model.flow cimport Flow

cdef class PacketBufferTest:
    cdef public str name
    cdef public tuple changes
    cdef public list chain
    cdef public bint absent, or_else
    cpdef bint match(self, Context ctx) except -1

cdef class AppProtocolMatcher(Matcher):
    cdef public object names
    cdef public bint negated
    cdef public str mode
    cpdef bint match(self, Context ctx) except -1
    cpdef tuple _found(self, Context ctx)

cdef class HookMatcher(Matcher):
    cdef public bint first
    @cython.locals(flow=Flow)
    cpdef bint match(self, Context ctx) except -1

cdef class AppEventMatcher(Matcher):
    cdef public str name
    cpdef bint match(self, Context ctx) except -1
