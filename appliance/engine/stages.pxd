cimport cython
from appliance.decode.quoted cimport embedded
from appliance.engine.parts cimport Parts
from appliance.engine.work cimport Work
from appliance.flow.key cimport trackable
from appliance.flow.table cimport FlowTable
from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet
from appliance.stream.result cimport StreamResult

cpdef bint checksum(Parts pipe, Work work) except -1
cpdef bint _sound(Parts pipe, Work work) except -1
@cython.locals(packet=Packet)
cpdef bint report_anomalies(Parts pipe, Work work) except -1
@cython.locals(packet=Packet)
cpdef bint identify(Parts pipe, Work work) except -1
@cython.locals(packet=Packet)
cpdef bint defragment(Parts pipe, Work work) except -1
cpdef bint _readable(Packet packet) except -1
@cython.locals(packet=Packet, flow=Flow, table=FlowTable)
cpdef bint find_flow(Parts pipe, Work work) except -1
@cython.locals(flow=Flow)
cpdef bint filter_packet(Parts pipe, Work work) except -1
@cython.locals(flow=Flow)
cpdef bint shed_load(Parts pipe, Work work) except -1
@cython.locals(packet=Packet, flow=Flow, result=StreamResult)
cpdef bint track_stream(Parts pipe, Work work) except -1
@cython.locals(packet=Packet, flow=Flow)
cpdef bint parse_application(Parts pipe, Work work) except -1
cpdef bint detect(Parts pipe, Work work) except -1
@cython.locals(flow=Flow)
cpdef bint log_application(Parts pipe, Work work) except -1
