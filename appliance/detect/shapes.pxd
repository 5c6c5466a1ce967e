import cython

from appliance.detect.context cimport Context
from appliance.detect.prefilter cimport PacketGroup
from appliance.model.packet cimport Packet

cdef int _PORTS

cdef class Shapes:
    cdef PacketGroup _group
    cdef list _signatures
    cdef dict _known
    cdef long long _last_key
    cdef tuple _last
    cdef bytes _sources, _destinations
    @cython.locals(key="long long", found=tuple)
    cpdef tuple find(self, Context ctx, Packet packet, bint own, bint stream)
    @cython.locals(key="long long", sport=int, dport=int)
    cpdef long long _key(self, Packet packet, bint own, bint stream)
