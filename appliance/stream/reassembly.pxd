cimport cython

from appliance.model.chunk cimport Chunk
from appliance.model.cut cimport cut
from appliance.model.packet cimport Packet
from appliance.model.tcp cimport TcpPeer, TcpSegment
from appliance.stream.result cimport StreamResult
from appliance.stream.retention cimport Retention
from appliance.stream.segments cimport compare, insert, overlaps_differently, overlay, part

cdef long long _FAR, _MASK, _HALF, _TURN
cdef int P_FIN, TH_URG, PATIENCE, MAX_URGENT, DIFFERENT, SAME, UNKNOWN


@cython.final
cdef class Reassembly:
    cdef public bint inline
    cdef public long long depth
    cdef public str urgent, policy
    cdef public bytes first_rule, default_rule
    cdef public Retention memory

    @cython.locals(distance="long long")
    cpdef long long place(self, TcpPeer peer, long long seq)

    @cython.locals(start="long long", stop="long long", begin="long long", offset="long long", data=bytes)
    cpdef bint accept(self, TcpPeer peer, int direction, Packet packet, long long seq, bint one_sided, StreamResult result)

    @cython.locals(limit="long long")
    cpdef long long _stop(self, TcpPeer peer, long long stop, StreamResult result)

    @cython.locals(low="long long", high="long long", data=bytes, outcome=int, waiting=list, corrected=bytearray)
    cpdef _verify(self, TcpPeer peer, Packet packet, long long start, long long stop, StreamResult result)

    cpdef bint _refuse(self, str event, StreamResult result)

    @cython.locals(at="long long", filler=bytes, data=bytes, first="long long", pieces=tuple, low="long long", high="long long", piece=bytes)
    cpdef bint _accept_urgent(self, TcpPeer peer, int direction, Packet packet, long long start, long long begin, long long stop, bint one_sided, StreamResult result)

    @cython.locals(segments=list, size="long long", over=bint, segment=TcpSegment)
    cpdef bint _hold(self, TcpPeer peer, int direction, TcpSegment new, bint one_sided, StreamResult result)

    @cython.locals(data=bytes, rule=bytes, count=Py_ssize_t, grown="long long")
    cpdef _overlap(self, TcpPeer peer, list segments, TcpSegment new, StreamResult result)

    @cython.locals(position="long long", segment=TcpSegment)
    cpdef long long _front(self, TcpPeer peer)

    cpdef bint known(self, TcpPeer peer, long long seq)

    @cython.locals(segments=list, keep=bint, parts=list, count=Py_ssize_t, segment=TcpSegment, end="long long")
    cpdef release(self, TcpPeer peer, int direction, long long upto, bint gaps, StreamResult result)

    @cython.locals(limit="long long")
    cpdef long long _limit(self, TcpPeer peer, long long upto)

    @cython.locals(size="long long", data=bytes, kept=TcpSegment)
    cpdef _take(self, TcpPeer peer, TcpSegment segment, long long end, bint keep)

    @cython.locals(data=bytes)
    cpdef _flush(self, TcpPeer peer, int direction, list parts, StreamResult result)

    cpdef _advance(self, TcpPeer peer, long long end)

    @cython.locals(size="long long")
    cpdef _gap(self, TcpPeer peer, int direction, long long end, StreamResult result)

    @cython.locals(data=bytes)
    cpdef _deliver(self, TcpPeer peer, int direction, TcpSegment segment, bint keep, StreamResult result)

    @cython.locals(upto="long long", sent="long long")
    cpdef acknowledge(self, TcpPeer peer, int direction, long long seq, StreamResult result)

    cpdef restart(self, TcpPeer peer, long long seq)

    @cython.locals(segment=TcpSegment, acked="long long")
    cpdef drain(self, TcpPeer peer, int direction, StreamResult result)

    @cython.locals(chunk=Chunk)
    cpdef end(self, TcpPeer peer, int direction, StreamResult result)

@cython.locals(made=TcpSegment)
cdef TcpSegment _segment(long long start, long long stop, bytes data, long long first, long long last)

@cython.locals(made=Chunk)
cdef Chunk _chunk(int direction, long long offset, bytes data)
