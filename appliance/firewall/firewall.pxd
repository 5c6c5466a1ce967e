from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet

cdef class Firewall:
    cdef public object bound, tallies, guard
    cpdef bint stale(self, Flow flow, long long now)
    cpdef object judge(self, Packet packet, Flow flow, long long now)
    cpdef bint _holds(self, object judged, Flow flow, long long now)
    cpdef bint _current(self, object judged, Flow flow, long long now)
    cpdef object _judge(self, Packet packet, Flow flow, long long now)
