from appliance.engine.parts cimport Parts
from appliance.model.packet cimport Packet

cpdef bint prevents(Parts pipe, Packet packet) except -1
cpdef bint inspected(Parts pipe, Packet packet) except -1
