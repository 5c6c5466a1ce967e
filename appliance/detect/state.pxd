cimport cython
from appliance.detect.txgroup cimport TxScope
from appliance.model.chunk cimport Chunk

cdef long long _PENDING

cdef class StreamPiece:
    cdef public long long base, fresh
    cdef public bytes data
    cdef public dict hits

cdef class StreamTail:
    cdef public bytearray data
    cdef public bytes latest
    cdef public long long base, fresh, lost, scanned
    cdef public dict hits, found
    cdef public list earlier
    cdef public bint seen_end
    cpdef begin(self)
    cpdef add(self, Chunk chunk)
    @cython.locals(lost=cython.longlong)
    cpdef _lose(self, long long excess)
    cpdef bint waiting(self) except -1
    @cython.locals(start=cython.longlong)
    cpdef object unsearched(self, long long overlap)
    @cython.locals(end=cython.longlong)
    cpdef settle(self, long long window)
    cpdef _drop(self, long long count)
    cpdef _restart(self, long long offset)
    cpdef search_anew(self)

cdef class FlowDetect:
    cdef public list events_seen
    cdef public dict guessed
    cdef public Py_ssize_t noted
    cdef public int recognised, again
    cdef public bint ended, established, inspected, unnamed
    cdef public object names
    cdef public StreamTail tail_ts, tail_tc
    cdef public TxScope scope_ts, scope_tc
    cpdef begin(self, names)
    cpdef StreamTail tail(self, int direction)
    @cython.locals(found=StreamTail)
    cpdef StreamTail made(self, int direction)
    @cython.locals(direction=int, tail=StreamTail)
    cpdef bint waiting(self) except -1
    cpdef forget_rules(self)
    @cython.locals(tail=StreamTail)
    cpdef turn(self)

@cython.locals(size=Py_ssize_t, base="char*", made=bytes)
cpdef bytes _behind(bytearray room, Py_ssize_t start)
cpdef int _exchanged(int bits) noexcept

cdef class RuleState:
    cdef public long long fed
    cdef public object held
    cdef public list values

cdef class TxSide:
    cdef public int final
    cdef public TxScope scope
    cdef public dict sizes, pending
    cdef public set before, done
    cdef public bint started
    cpdef begin(self)
    cpdef enter(self, TxScope scope)
    cpdef decide(self, int index)
    cpdef renew(self)

cdef class TxDetect:
    cdef public TxSide server, client, both
    cpdef begin(self)
    @cython.locals(found=TxSide)
    cpdef TxSide side(self, int direction)
    cpdef TxSide spanning(self)
