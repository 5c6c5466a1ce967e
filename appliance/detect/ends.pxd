cimport cython
from appliance.detect.context cimport Context
from appliance.detect.headers cimport Header
from appliance.model.packet cimport Packet

cdef int _PORTS

cdef class Ends:
    cdef public list headers
    cdef dict _answers
    cdef bytes _classes
    @cython.locals(packet=Packet, ports=cython.longlong)
    cpdef long long live(self, Context ctx) except? -9
    @cython.locals(found=cython.longlong, bit=cython.longlong, header=Header)
    cpdef long long _find(self, Context ctx) except? -9
