from appliance.engine.parts cimport Parts
from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet

cpdef log_app(Parts pipe, Flow flow, long long now, Packet packet, list events)
