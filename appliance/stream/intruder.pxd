cimport cython
from appliance.model.packet cimport Packet
from appliance.model.tcp cimport TcpPeer, TcpSession
from appliance.stream.handshake cimport Handshake
from appliance.stream.judge cimport Judge
from appliance.stream.reassembly cimport Reassembly
from appliance.stream.result cimport StreamResult
from appliance.stream.validate cimport ack_ok, answers_before_fin, before, rst_ok

cdef long long _MASK
cdef int TH_ACK, P_KNOWN, P_RESET, P_UNSEEN, S_ASYNC, S_CONFIRMED
cdef int _CLOSED, _CLOSING, _LAST_ACK, _SYN_SENT, _TIME_WAIT


@cython.final
cdef class Intruder:
    cdef public Reassembly streams
    cdef public Judge judge
    cdef public Handshake handshake
    cdef public bint sees_acks

    @cython.locals(sender=TcpPeer, other=TcpPeer, has_ack=bint)
    cpdef bint reset(self, TcpSession session, Packet packet, int direction, StreamResult result)
    cpdef bint _overtaken(self, TcpSession session, TcpPeer sender, Packet packet)
    @cython.locals(client=TcpPeer, inside=bint)
    cpdef bint _reset_of_syn(self, TcpSession session, Packet packet, int direction, StreamResult result)
    @cython.locals(same=bint)
    cpdef bint syn_closing(self, TcpSession session, Packet packet, int direction, StreamResult result)
    @cython.locals(over=bint)
    cpdef bint _over(self, int state)
    cpdef bint syn_late(self, TcpSession session, Packet packet, int direction, StreamResult result)
    cpdef bint synack_late(self, TcpSession session, Packet packet, int direction, StreamResult result)
