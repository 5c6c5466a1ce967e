cimport cython

from appliance.model.tcp cimport TcpPeer, TcpSegment


@cython.final
cdef class Retention:
    cdef public Py_ssize_t max_segments
    cdef public long long max_held, max_total, overhead, total

    cpdef bint full(self, TcpPeer peer, long long size, Py_ssize_t count)

    @cython.locals(buffer=list, size="long long", count=Py_ssize_t, spare=Py_ssize_t)
    cpdef keep(self, TcpPeer peer, TcpSegment segment)

    @cython.locals(size="long long")
    cpdef _drop(self, TcpPeer peer, TcpSegment segment)

    @cython.locals(buffer=list, segment=TcpSegment, count=Py_ssize_t, size=Py_ssize_t)
    cpdef acknowledged(self, TcpPeer peer, long long upto)

    cpdef discard(self, TcpPeer peer)
    cpdef forget(self, TcpPeer peer)
    cpdef charge(self, TcpPeer peer)
