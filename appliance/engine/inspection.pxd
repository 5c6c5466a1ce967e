cimport cython
from appliance.engine.parts cimport Parts
from appliance.engine.work cimport Work
from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet

cpdef bint prevents(Parts pipe, Packet packet) except -1
cpdef bint inspected(Parts pipe, Packet packet) except -1
@cython.locals(flow=Flow, packet=Packet)
cpdef run_rules(Parts pipe, Work work)
