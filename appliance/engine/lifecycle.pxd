cimport cython
from appliance.detect.state cimport FlowDetect
from appliance.engine.counters cimport count_end
from appliance.engine.parts cimport Parts
from appliance.engine.work cimport Work
from appliance.model.app cimport AppState
from appliance.model.flow cimport Flow

cpdef conclude(Work work)
@cython.locals(chunks=list)
cpdef end_flow(Parts pipe, Flow flow, long long now, str reason, list events)
cpdef _let_go(Parts pipe, Flow flow)
@cython.locals(work=Work)
cpdef _inspect_end(Parts pipe, Flow flow, long long now, list events, bint nothing_left)
@cython.locals(detect=FlowDetect, app=AppState)
cpdef rest(Flow flow)
@cython.locals(app=AppState)
cpdef bint _rests(Flow flow) except -1
