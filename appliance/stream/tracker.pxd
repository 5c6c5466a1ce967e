cimport cython

from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet
from appliance.model.tcp cimport TcpPeer, TcpSession
from appliance.stream.exchange cimport Exchange
from appliance.stream.handshake cimport Handshake
from appliance.stream.intruder cimport Intruder
from appliance.stream.judge cimport Judge
from appliance.stream.reassembly cimport Reassembly
from appliance.stream.result cimport StreamResult

cdef int TH_ACK, TH_FIN, TH_RST, P_RESET, S_ENDED, F_KNOWN, F_MIDSTREAM
cdef int ALWAYS, DATA, FIN_ACKED, KIND_COUNT, AFTERMATH, CLOSE, EARLY, HANDSHAKE_ACK, HANDSHAKE_SYN, HANDSHAKE_SYNACK
cdef int IGNORE, ONE_SIDED, OPEN, ORPHAN, PICKUP, RESET
cdef int SYNACK, SYNACK_CROSS, SYNACK_LATE, SYNACK_REPLY, SYN_AGAIN, SYN_CLOSING, SYN_CROSS, SYN_FIN, SYN_LATE
cdef int _CLOSED, _CLOSING, _ESTABLISHED, _FIN_WAIT1, _SYN_RECV, _SYN_SENT, _TIME_WAIT
cdef list FLOW_STATES


@cython.final
cdef class TcpTracker:
    cdef public object policy_for
    cdef public Intruder intruder
    cdef public Reassembly streams
    cdef public Judge judge
    cdef public Handshake handshake
    cdef public Exchange exchange
    cdef public bint bypass, picks_acks, picks_synacks
    cdef public Py_ssize_t max_sessions, sessions
    cdef public str memcap_policy, midstream_policy
    cdef public bytes checks, next_states, guards, kinds

    @cython.locals(result=StreamResult, flags=int, direction=int, session=TcpSession, sender=TcpPeer)
    cpdef StreamResult handle(self, Packet packet, Flow flow, long long now)

    @cython.locals(index=int, check=int)
    cpdef _first(self, Packet packet, Flow flow, int direction, long long now, StreamResult result)

    cpdef _orphan(self, Packet packet, StreamResult result)

    @cython.locals(session=TcpSession, sender=TcpPeer, other=TcpPeer)
    cpdef TcpSession _create(self, Packet packet, Flow flow, int direction, StreamResult result)

    @cython.locals(session=TcpSession)
    cpdef _open(self, Packet packet, Flow flow, long long now, StreamResult result)

    @cython.locals(session=TcpSession, synack=bint)
    cpdef _pick_up(self, Packet packet, Flow flow, int direction, long long now, StreamResult result)

    cpdef _enter(self, TcpSession session, Flow flow, int state)

    @cython.locals(index=int, check=int, taken=bint, guard=int)
    cpdef bint _dispatch(self, TcpSession session, Flow flow, Packet packet, int direction, long long now, StreamResult result)

    cpdef bint _check(self, int check, TcpSession session, Flow flow, Packet packet, int direction, long long now, StreamResult result)

    @cython.locals(state=int, acked=bint)
    cpdef bint _close(self, TcpSession session, Flow flow, Packet packet, int direction, long long now, StreamResult result)

    cpdef bint _shake(self, int check, TcpSession session, Flow flow, Packet packet, int direction, long long now, StreamResult result)

    @cython.locals(before_state=int)
    cpdef bint _established(self, bint finished, TcpSession session, Flow flow, Packet packet, int direction, long long now, StreamResult result)

    @cython.locals(sender=TcpPeer)
    cpdef bint _aftermath(self, TcpSession session, Flow flow, Packet packet, int direction, long long now, StreamResult result)

    @cython.locals(session=TcpSession, result=StreamResult, peer=TcpPeer)
    cpdef list finish(self, Flow flow)

    @cython.locals(session=TcpSession, peer=TcpPeer)
    cpdef adopt(self, Flow flow)

    @cython.locals(session=TcpSession)
    cpdef swap(self, Flow flow)
