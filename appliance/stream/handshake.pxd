cimport cython

from appliance.model.packet cimport Packet
from appliance.model.tcp cimport TcpPeer, TcpSession
from appliance.stream.judge cimport Judge
from appliance.stream.reassembly cimport Reassembly
from appliance.stream.result cimport StreamResult
from appliance.stream.validate cimport before

cdef long long _MASK
cdef int _MAX_WSCALE
cdef int P_ACTIVE, P_EDGE, P_KNOWN
cdef int S_ASYNC, S_EVASION, S_FAST_OPEN, S_FOUR_WAY, S_MIDSTREAM, S_SYNACK_FIRST


@cython.final
cdef class Handshake:
    cdef public Reassembly streams
    cdef public Judge judge
    cdef public bint inline, sees_acks, async_oneside
    cdef public Py_ssize_t max_syns, max_synacks

    cpdef _begin(self, TcpPeer peer, Packet packet, long long now)
    cpdef _limit(self, TcpPeer peer, long long ack, long long window)

    @cython.locals(client=TcpPeer)
    cpdef bint open(self, TcpSession session, Packet packet, long long now, StreamResult result)

    @cython.locals(peers=list, peer=TcpPeer, queue=list, rival=TcpPeer)
    cpdef bint syn_again(self, TcpSession session, Packet packet, long long now, StreamResult result)

    @cython.locals(end="long long")
    cpdef bint _same_syn(self, TcpPeer peer, Packet packet, StreamResult result)

    cpdef bint syn_cross(self, TcpSession session, Packet packet, long long now)
    cpdef bint early_ok(self, TcpSession session, Packet packet, StreamResult result)

    @cython.locals(rivals=list, peer=TcpPeer)
    cpdef bint _echoes(self, TcpSession session, Packet packet)

    @cython.locals(chosen=TcpPeer, client=TcpPeer)
    cpdef TcpPeer _asked(self, TcpSession session, Packet packet)

    @cython.locals(chosen=TcpPeer, peer=TcpPeer)
    cpdef TcpPeer _rival_asked(self, list rivals, Packet packet)

    cpdef bint answers(self, TcpPeer peer, long long ack)
    cpdef bint refused(self, TcpSession session, Packet packet)

    @cython.locals(chosen=TcpPeer)
    cpdef bint synack_reply(self, TcpSession session, Packet packet, long long now, StreamResult result)

    @cython.locals(client=TcpPeer, peer=TcpPeer)
    cpdef _choose(self, TcpSession session, TcpPeer chosen)

    cpdef _answer(self, TcpPeer asker, TcpPeer answerer, Packet packet, long long now)

    @cython.locals(start="long long")
    cpdef _answered_data(self, TcpSession session, TcpPeer client, Packet packet, StreamResult result)

    cpdef bint synack_cross(self, TcpSession session, Packet packet, long long now, StreamResult result)

    @cython.locals(peer=TcpPeer)
    cpdef bint syn_in_handshake(self, TcpSession session, int direction, Packet packet, StreamResult result)

    @cython.locals(sender=TcpPeer, other=TcpPeer)
    cpdef bint synack_in_handshake(self, TcpSession session, int direction, Packet packet, long long now, StreamResult result)

    @cython.locals(queue=list, peer=TcpPeer, rival=TcpPeer)
    cpdef _rival_server(self, TcpSession session, Packet packet, long long now, StreamResult result)

    cpdef bint finish(self, TcpSession session, int direction, Packet packet, StreamResult result)

    @cython.locals(client=TcpPeer, server=TcpPeer)
    cpdef bint _finish_client(self, TcpSession session, Packet packet, StreamResult result)

    @cython.locals(rivals=list, peer=TcpPeer)
    cpdef TcpPeer _answerer(self, TcpSession session, long long ack)

    @cython.locals(client=TcpPeer, server=TcpPeer, in_order=bint, tolerated=int)
    cpdef bint _finish_server(self, TcpSession session, Packet packet, StreamResult result)

    @cython.locals(client=TcpPeer, server=TcpPeer)
    cpdef bint one_sided(self, TcpSession session, Packet packet, StreamResult result)

    cpdef _assume(self, TcpPeer peer, long long seq)

    @cython.locals(sender=TcpPeer, other=TcpPeer)
    cpdef pick_up(self, TcpSession session, int direction, Packet packet, long long now)

    @cython.locals(client=TcpPeer, server=TcpPeer)
    cpdef pick_up_synack(self, TcpSession session, Packet packet, long long now)
