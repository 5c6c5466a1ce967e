cimport cython
from appliance.engine.parts cimport Parts
from appliance.engine.work cimport Work
from appliance.model.flow cimport Flow

cpdef conclude(Work work)
@cython.locals(chunks=list)
cpdef end_flow(Parts pipe, Flow flow, long long now, str reason, list events)
@cython.locals(work=Work)
cpdef _inspect_end(Parts pipe, Flow flow, long long now, list events)
