import cython

from appliance.protocols.http1.body cimport Body
from appliance.protocols.http1.fields cimport FieldReader
from appliance.protocols.http1.headers cimport Headers
from appliance.protocols.http1.transaction cimport HttpTransaction

cdef int CHUNK_END_STEP, CHUNK_SIZE_STEP, CHUNK_STEP, HEADERS_STEP, LENGTH_STEP, LOST_STEP, RESYNC_STEP
cdef int START_STEP, STREAM_STEP, BODY, COMPLETE, HEADERS, TRAILER, EMPTY, INVALID, _MAX_SIZE_LINE, _SHORT_SIZE

cdef class Side(FieldReader):
    @cython.locals(state=int)
    cpdef bint step(self) except -1
    cpdef feed(self, bytes data)
    cpdef bint plain(self, bytes data) except -1
    cpdef bint on_other(self) except -1
    cpdef bint begin_body(self, HttpTransaction tx, long long length, bint chunked) except -1
    @cython.locals(tx=HttpTransaction, mine=Body)
    cpdef body(self, bytes data)
    @cython.locals(tx=HttpTransaction, mine=Body)
    cpdef close_body(self, bint complete)
    @cython.locals(data=bytes)
    cpdef bint on_length(self) except -1
    cpdef bint on_stream(self) except -1
    @cython.locals(tx=HttpTransaction, at=Py_ssize_t, size="long long")
    cpdef bint on_chunk_size(self) except -1
    cpdef bint bad_chunk(self, HttpTransaction tx) except -1
    @cython.locals(data=bytes)
    cpdef bint on_chunk(self) except -1
    @cython.locals(at=Py_ssize_t)
    cpdef bint on_chunk_end(self) except -1
    @cython.locals(tx=HttpTransaction, known="long long")
    cpdef gap(self, long long length)
    cpdef after_gap(self)
    cpdef lose(self)
    @cython.locals(line=bytes)
    cpdef bint on_resync(self) except -1
    cpdef bint begins_message(self, bytes line) except -1
    @cython.locals(tx=HttpTransaction)
    cpdef end(self)
    @cython.locals(tx=HttpTransaction, complete=bint)
    cpdef wind_up(self)
    @cython.locals(mine=Body)
    cpdef conclude(self)
    @cython.locals(headers=Headers)
    cpdef decode_body(self, HttpTransaction tx)
    @cython.locals(mine=Body)
    cpdef settle(self)
    @cython.locals(tx=HttpTransaction, mine=Body)
    cpdef stray(self, bytes data)
