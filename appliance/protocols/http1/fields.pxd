import cython

from appliance.model.app cimport Frame
from appliance.protocols.http1.config cimport Limits
from appliance.protocols.http1.conversation cimport Conversation
from appliance.protocols.http1.headers cimport Headers, split_field
from appliance.protocols.http1.plain cimport field_block
from appliance.protocols.http1.transaction cimport HttpTransaction

cdef int HEADERS, LOST_STEP, START_STEP, _MAX_RAW
cdef bytes _FOLD

cdef class FieldReader:
    cdef public int direction, state
    cdef public str word
    cdef public Conversation parser
    cdef public bytearray buffer
    cdef public Py_ssize_t scanned
    cdef public long long left
    cdef public bint ended, finishing, in_trailer
    cdef public HttpTransaction tx, last
    cdef public bytes pending
    cdef public Frame frame
    cdef begin(self, Conversation parser, int direction)
    cpdef begin_frame(self, Py_ssize_t line, long long tx_id)
    cpdef end_frame(self)
    cpdef release(self)
    cpdef run(self)
    cpdef bint step(self) except -1
    cpdef bint on_start(self) except -1
    @cython.locals(headers=Headers, limits=Limits, end=Py_ssize_t)
    cpdef Headers plain_head(self, bytes data, Py_ssize_t start)
    cpdef bint on_headers_done(self) except -1
    cpdef finish_message(self)
    @cython.locals(data=bytes)
    cpdef bytes take(self, Py_ssize_t count)
    @cython.locals(at=Py_ssize_t)
    cpdef bytes take_line(self)
    cpdef bint too_long(self, Py_ssize_t size) except -1
    cpdef give_up(self)
    cpdef bint on_lost(self) except -1
    @cython.locals(line=bytes)
    cpdef tuple next_field_line(self)
    @cython.locals(tx=HttpTransaction, line=bytes, found=tuple, headers=Headers)
    cpdef bint on_headers(self) except -1
    cpdef bint end_block(self, HttpTransaction tx) except -1
    cpdef put_line(self, HttpTransaction tx, bytes line)
    cpdef bint continues(self, HttpTransaction tx, bytes line) except -1
    cpdef flush_field(self, HttpTransaction tx)
    @cython.locals(end=Py_ssize_t, lines=Py_ssize_t, block=bytes, line=bytes, headers=Headers)
    cpdef bint plain_block(self, HttpTransaction tx) except -1
    @cython.locals(name=bytes, value=bytes, problems=tuple)
    cpdef take_field(self, HttpTransaction tx, Headers headers, bytes line)
    cpdef close_body(self, bint complete)
