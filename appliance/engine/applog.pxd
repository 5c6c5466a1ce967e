import cython

from appliance.engine.filedrain cimport FileDrain
from appliance.engine.parts cimport Parts
from appliance.model.app cimport AppState, Parser, Transaction
from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet

cdef int F_BYPASS, F_DROPPED, F_PASSED, TOCLIENT, _UNINSPECTED
cdef dict TYPE_OF_KIND

@cython.locals(state=AppState, inspected=bint)
cpdef log_app(Parts pipe, Flow flow, long long now, Packet packet, list events)
@cython.locals(tx=Transaction)
cpdef _log_parser(Parts pipe, Flow flow, Parser parser, long long now, Packet packet, list events, bint inspected)
@cython.locals(parser=Parser)
cpdef _release(Flow flow, AppState state)
cpdef _report_events(Flow flow, Transaction tx, str proto, long long now, Packet packet, list events)
cpdef _log_tx(frozenset types, Flow flow, Transaction tx, Parser parser, long long now, Packet packet, list events)
