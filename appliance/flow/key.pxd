cimport cython
from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet
from appliance.model.taken cimport taken

cdef list _COUNTERPARTS_V4, _COUNTERPARTS_V6
cdef frozenset _ICMP_ERRORS
cdef Py_ssize_t _HEAD, _ROOM
cdef int PROTO_ESP, PROTO_ICMP, PROTO_ICMPV6, PROTO_SCTP, PROTO_TCP, PROTO_UDP, TOCLIENT, TOSERVER

@cython.locals(table=list)
cpdef int counterpart(int proto, int kind)
@cython.locals(answer=int)
cpdef long long icmp_ports(int proto, int kind, int code)
cpdef bint trackable(Packet packet)
@cython.locals(spi=bytes)
cpdef unsigned int esp_spi(Packet packet)
cpdef int direction_of(Flow flow, Packet packet)
cpdef bytes place_tag(long long place)
@cython.locals(left="unsigned long long", right="unsigned long long", mask="unsigned long long", factor="unsigned long long", other="unsigned long long", byte="unsigned char", word="unsigned long long", step=int)
cpdef long long flow_id(bytes key, long long now, long long number)

@cython.locals(size=Py_ssize_t, i=Py_ssize_t, target="unsigned char*", source="const unsigned char*")
cdef Py_ssize_t _put(bytearray room, Py_ssize_t at, bytes data) except -1

@cython.final
cdef class KeyMaker:
    cdef public bint vlan_in_key, depth_in_key
    cdef public bytearray head
    cdef public long long place
    cdef public bytes placed
    cdef public dict tags, vlans, macs
    cpdef bint same(self, KeyMaker other)
    @cython.locals(proto=int, sport=int, dport=int, both="long long", extra=bytes)
    cpdef bytes of_packet(self, Packet packet)
    @cython.locals(sport=int, dport=int, both="long long", extra=bytes, tags=bytes)
    cpdef bytes of_flow(self, Flow flow)
    @cython.locals(tags=bytes)
    cpdef bytes make(self, int proto, bytes src, bytes dst, int sport, int dport, Packet context, bytes extra)
    @cython.locals(room=bytearray, head="unsigned char*", end=Py_ssize_t)
    cpdef bytes join(self, int proto, bytes src, bytes dst, int sport, int dport, int depth, int tenant, bytes tags)
    cpdef bytes place_of(self, long long place)
    @cython.locals(tag=bytes)
    cpdef bytes tag(self, tuple vlans)
    cpdef tuple shared_vlans(self, tuple vlans)
    cpdef bytes shared_mac(self, bytes mac)
