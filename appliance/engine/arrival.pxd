cimport cython
from appliance.engine.parts cimport Parts
from appliance.engine.work cimport Work
from appliance.inventory.registry cimport Registry
from appliance.model.origin cimport Origin
from appliance.model.packet cimport Packet

cdef int PROTO_TCP
cdef bint _CONTINUE, _STOP

cpdef bint checksum(Parts pipe, Work work) except -1
@cython.locals(origin=Origin)
cpdef bint _sound(Parts pipe, Work work) except -1
@cython.locals(packet=Packet)
cpdef bint report_anomalies(Parts pipe, Work work) except -1
@cython.locals(packet=Packet, registry=Registry, origin=Origin)
cpdef bint identify(Parts pipe, Work work) except -1
@cython.locals(packet=Packet)
cpdef bint defragment(Parts pipe, Work work) except -1
cpdef bint readable(Packet packet) except -1
