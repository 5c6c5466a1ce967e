cimport cython

from appliance.model.packet cimport Packet
from appliance.model.tcp cimport TcpPeer, TcpSession
from appliance.stream.judge cimport Judge
from appliance.stream.reassembly cimport Reassembly
from appliance.stream.result cimport StreamResult
from appliance.stream.validate cimport ack_ok, before, in_window, later, timestamp_ok

cdef long long _MASK
cdef int TH_ACK, TH_FIN, _ESTABLISHED
cdef int P_ACTIVE, P_EDGE, P_FIN, P_UNSEEN, S_ASYNC, S_CONFIRMED, S_MIDSTREAM


@cython.final
cdef class Exchange:
    cdef public Reassembly streams
    cdef public Judge judge
    cdef public bint inline, sees_acks

    @cython.locals(sender=TcpPeer, other=TcpPeer, size=Py_ssize_t, one_sided=bint, closing=bint)
    cpdef bint take(self, TcpSession session, Packet packet, int direction, long long now, StreamResult result)

    @cython.locals(state=int, end="long long", after="long long")
    cpdef bint _valid(self, TcpSession session, TcpPeer sender, TcpPeer other, Packet packet, long long now, StreamResult result)

    cpdef str _name(self, dict names, int state, Packet packet, str fin_name)

    @cython.locals(window="long long")
    cpdef bint _bad_window_update(self, TcpPeer sender, TcpPeer other, Packet packet)

    @cython.locals(end="long long", taken=bint, known=bint)
    cpdef bint _payload(self, TcpPeer sender, Packet packet, int direction, bint one_sided, bint closing, StreamResult result)

    @cython.locals(end="long long")
    cpdef _update(self, TcpPeer sender, Packet packet, long long now)

    @cython.locals(ack="long long", edge="long long")
    cpdef _acknowledge(self, TcpPeer sender, TcpPeer other, Packet packet, int direction, StreamResult result)

    @cython.locals(at_once=bint, direction=int, peer=TcpPeer, done=bint)
    cpdef _ends(self, TcpSession session, StreamResult result)

    @cython.locals(other=TcpPeer)
    cpdef bint fin_acked(self, TcpSession session, Packet packet, int direction)

    @cython.locals(sender=TcpPeer, end="long long", misplaced=bint)
    cpdef bint close(self, TcpSession session, Packet packet, int direction, long long now, StreamResult result)
