cimport cython

from appliance.model.packet cimport Packet
from appliance.model.tcp cimport TcpPeer, TcpSession

cdef long long _MASK, _HALF, _PAWS_IDLE, _MIN_WINDOW
cdef int EXACT, WINDOW, AFTER
cdef int P_EDGE, P_FIN, P_KNOWN, P_UNSEEN, S_ASYNC, S_MIDSTREAM


cpdef bint before(long long a, long long b) noexcept
cpdef long long later(long long a, long long b) noexcept

@cython.locals(age="long long")
cpdef bint timestamp_ok(TcpPeer peer, long long value, long long now)

@cython.locals(span="long long")
cpdef bint ack_ok(TcpSession session, TcpPeer acked, long long ack)

@cython.locals(edge="long long")
cpdef bint in_window(TcpSession session, TcpPeer sender, long long end, Py_ssize_t size)

@cython.locals(seq="long long", end="long long", rule=int)
cpdef bint rst_ok(TcpSession session, TcpPeer sender, Packet packet, bint bare_acks)

cpdef bint answers_before_fin(TcpPeer sender, long long seq)
