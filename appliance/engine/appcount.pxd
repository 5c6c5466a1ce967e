import cython

from appliance.engine.counters cimport Counters
from appliance.model.app cimport AppState, Parser
from appliance.model.flow cimport Flow

cdef class AppCounters:
    cdef Counters _counters
    cdef dict _names
    cpdef update(self, Flow flow, AppState state)
    @cython.locals(new="long long")
    cpdef _update_parser(self, Flow flow, Parser parser)
