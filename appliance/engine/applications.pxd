from appliance.engine.parts cimport Parts
from appliance.engine.work cimport Work
from appliance.model.flow cimport Flow

cdef int F_DROPPED, W_CONTROLS

cpdef judge(Parts pipe, Work work, Flow flow)
cpdef _drop(Work work, Flow flow, str application, str by)
