cimport cython
from appliance.model.packet cimport Packet

cdef class Vouched:
    cdef public object by, source, target
    cdef public bytes mac, address
    cdef public int ethertype
    cpdef bint covers(self, object by, Packet packet) except -1

cdef class Origin:
    cdef public object source, target
    cdef public Vouched vouched
    cdef public int zone, reply
    cdef public long long copy, unseen
    cdef public bint known, related, checked, segments, unmapped

@cython.locals(zone=cython.longlong)
cpdef long long place_of(Origin origin) except? -1
