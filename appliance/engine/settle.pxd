cimport cython
from appliance.engine.parts cimport Parts
from appliance.engine.work cimport Work
from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet
from appliance.model.tcp cimport TcpSession

@cython.locals(flow=Flow, packet=Packet, bits=int, direction=int, same=bint)
cpdef int remember(Parts pipe, Work work) except -1
@cython.locals(tcp=TcpSession)
cpdef bint _still_watched(Flow flow) except -1
cpdef int _about(Packet packet, Flow flow) except -1
@cython.locals(tcp=TcpSession)
cpdef _note(Parts pipe, Flow flow, int bits)
cpdef int _bits(Parts pipe, Packet packet, Flow flow) except -1
cpdef bint _may_carry(Parts pipe, Packet packet, Flow flow) except -1
@cython.locals(bits=int)
cpdef int _uninspected(Parts pipe, Flow flow) except -1
cpdef bint _over(Flow flow) except -1
@cython.locals(tcp=TcpSession, bits=int)
cpdef int _beyond_depth(Parts pipe, Flow flow) except -1
