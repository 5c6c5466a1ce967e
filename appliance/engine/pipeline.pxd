cimport cython
from appliance.detect.detector cimport Detector
from appliance.engine.applog cimport log_app as _log_app
from appliance.engine.parts cimport Parts
from appliance.engine.stages cimport run_all
from appliance.engine.work cimport Work
from appliance.model.app cimport AppState, Parser
from appliance.model.chunk cimport Chunk
from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet

cdef class Pipeline(Parts):
    cpdef run(self, Work work)
    cpdef run_rebuilt(self, Work work, Packet packet)
    @cython.locals(inner=Packet, inside=Work)
    cpdef run_inside(self, Work work)
    @cython.locals(flow=Flow)
    cpdef open_flow(self, Work work)
    @cython.locals(flow=Flow, packet=Packet)
    cpdef reopen(self, Work work, Flow old)
    cpdef bypass(self, Flow flow)
    cpdef unbypass(self, Flow flow, Work work)
    cpdef resume(self, Flow flow, long long now, list events)
    @cython.locals(flow=Flow)
    cpdef end_flows(self, list flows, Work work)
    @cython.locals(detector=Detector)
    cpdef feed(self, Flow flow, Chunk chunk, long long now)
    cpdef turn(self, Flow flow)
    cpdef meet(self, Flow flow, long long now)
    @cython.locals(state=AppState, parser=Parser)
    cpdef announce(self, Flow flow, long long now)
    cpdef detect_only(self, Work work)
    cpdef log_app(self, Flow flow, long long now, Packet packet, list events)
