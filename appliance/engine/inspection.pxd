cimport cython
from appliance.detect.detector cimport Detector
from appliance.engine.parts cimport Parts
from appliance.engine.work cimport Work
from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet

cdef int F_BYPASS

cpdef bint prevents(Parts pipe, Packet packet) except -1
cpdef bint inspected(Parts pipe, Packet packet) except -1
@cython.locals(detector=Detector, flow=Flow, packet=Packet, blocking=bint)
cpdef run_rules(Parts pipe, Work work)
