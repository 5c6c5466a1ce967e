cimport cython
from appliance.flow.key cimport (
    KeyMaker, direction_of, esp_spi, flow_id, icmp_ports, trackable,
)
from appliance.flow.queues cimport FlowQueues
from appliance.model.flow cimport Flow
from appliance.model.identity cimport VmInterface
from appliance.model.packet cimport Packet

cdef int PROTO_ESP, PROTO_ICMP, PROTO_ICMPV6, PROTO_SCTP, PROTO_TCP, PROTO_UDP
cdef int TH_ACK, TH_SYN, TOCLIENT, TOSERVER, F_EVICTED, F_SWAPPED, SETTLED
cdef int _NEW, _ESTABLISHED, _TCP, _UDP, _ICMP, _OTHER, _SETTLED
cdef list _HALF_OPEN_QUEUES, _NEW_QUEUES, _SETTLED_QUEUES, _CLOSED_QUEUES, _PSEUDO_QUEUES, _KEPT_QUEUES, _EVICTED

cpdef int _queue_class(int proto) noexcept
@cython.locals(length="long long")
cpdef long long _length(Packet packet) except? -1

@cython.final
cdef class FlowTable:
    cdef public Py_ssize_t max_flows
    cdef public long long protect
    cdef public KeyMaker keys
    cdef public list timeouts, ended
    cdef public dict table, counters
    cdef public FlowQueues queues
    cdef public int turn
    cdef public Packet missed
    cdef public bytes missed_key
    cpdef list flows(self)
    @cython.locals(flow=Flow, key=bytes)
    cpdef Flow lookup(self, Packet packet, long long now)
    @cython.locals(flow=Flow, old=Flow, key=bytes)
    cpdef Flow create(self, Packet packet, long long now)
    cpdef Flow reopen(self, Flow flow, Packet packet, long long now)
    @cython.locals(key=bytes)
    cpdef bint insert(self, Flow flow)
    @cython.locals(flow=Flow)
    cpdef adopt(self, FlowTable old)
    @cython.locals(length="long long")
    cpdef touch(self, Flow flow, Packet packet, long long now)
    cpdef retime(self, Flow flow)
    cpdef settle(self, Flow flow, int kernel)
    cpdef swap(self, Flow flow)
    @cython.locals(extra=bytes, both="long long")
    cpdef find(self, int proto, bytes src, bytes dst, int sport, int dport, Packet context)
    cpdef bint remove(self, Flow flow)
    cpdef list drain(self)
    cpdef list expire(self, long long now, Py_ssize_t limit)
    @cython.locals(flow=Flow)
    cpdef list flush(self)
    @cython.locals(flow=Flow, rotated=int)
    cpdef _expire_queue(self, int queue, long long now, Py_ssize_t limit, list ended)
    @cython.locals(flow=Flow)
    cpdef Flow _record(self, Packet packet, long long now)
    cpdef bytes _mac(self, VmInterface interface, bytes mac)
    @cython.locals(queue=int, kernel=int)
    cpdef _place(self, Flow flow)
    @cython.locals(victim=Flow)
    cpdef bint _make_room(self, long long now)
    @cython.locals(victim=Flow)
    cpdef Flow _victim(self, long long now)
    @cython.locals(best=Flow, flow=Flow, queue=int)
    cpdef Flow _idlest(self, list queues, long long now, long long idle)
    cpdef _end(self, Flow flow, str reason)
