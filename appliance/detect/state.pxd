cimport cython
from appliance.detect.txgroup cimport TxScope
from appliance.model.chunk cimport Chunk

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
    @cython.locals(excess=cython.longlong, lost=cython.longlong)
    cpdef add(self, Chunk chunk)
    cpdef bint waiting(self) except -1
    @cython.locals(start=cython.longlong)
    cpdef unsearched(self, long long overlap)
    @cython.locals(end=cython.longlong)
    cpdef settle(self, long long window)
    cpdef _drop(self, long long count)
    cpdef _restart(self, long long offset)
    cpdef search_anew(self)

cdef class FlowDetect:
    cdef public list tails, recognised, again, events_seen, scopes
    cdef public dict guessed
    cdef public Py_ssize_t noted
    cdef public set once
    cdef public bint ended, established, inspected
    cdef public object names
    cpdef turn(self)

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
    cpdef enter(self, TxScope scope)
    cpdef decide(self, int index)
    cpdef renew(self)

cdef class TxDetect:
    cdef public list sides
    cdef public TxSide both
    cpdef TxSide side(self, int direction)
    cpdef TxSide spanning(self)
