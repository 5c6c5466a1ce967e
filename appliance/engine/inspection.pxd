cimport cython
from appliance.detect.detector cimport Detector
from appliance.engine.parts cimport Parts
from appliance.engine.work cimport Work
from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet

cdef int F_BYPASS, W_INSPECTED, W_PREVENTS

cpdef bint prevents(Parts pipe, Packet packet) except -1
cpdef bint inspected(Parts pipe, Packet packet) except -1
cpdef bint wanted(int wishes) noexcept
cdef bint _prevented(int wishes) noexcept
@cython.locals(detector=Detector, flow=Flow, packet=Packet, blocking=bint, wishes=int)
cpdef run_rules(Parts pipe, Work work)
