import cython

from appliance.engine.counters cimport Counters
from appliance.model.app cimport AppState, Parser
from appliance.model.flow cimport Flow

cdef int PROTO_TCP

cdef class AppCounters:
    cdef Counters _counters
    cdef dict _names, _flows_tcp, _flows_udp, _over_tcp, _over_udp
    cpdef update(self, Flow flow, AppState state)
    @cython.locals(names=dict, name=str)
    cdef _count_flow(self, Flow flow, str protocol)
    @cython.locals(new="long long", names=dict, name=str)
    cpdef _update_parser(self, Flow flow, Parser parser)
