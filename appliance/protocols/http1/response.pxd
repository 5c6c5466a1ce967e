import cython

from appliance.protocols.http1.body cimport Body
from appliance.protocols.http1.conversation cimport Conversation
from appliance.protocols.http1.headers cimport Headers
from appliance.protocols.http1.framing cimport content_length, transfer_coding
from appliance.protocols.http1.plain cimport status_line
from appliance.protocols.http1.side cimport Side
from appliance.protocols.http1.startline cimport StatusLine, parse_status
from appliance.protocols.http1.transaction cimport HttpTransaction

cdef int HEADERS_STEP, START_STEP, STRAY_STEP, STREAM_STEP, HEADERS, LINE, NO_LENGTH, _NO_STATUS
cdef bytes _BLANK
cdef Headers NO_HEADERS

cdef class ResponseSide(Side):
    cdef public bint ended_lfcr
    cdef start(self, Conversation parser)
    cpdef bint on_other(self) except -1
    @cython.locals(at=Py_ssize_t, buffer=bytearray, following=bytearray)
    cpdef _line_end(self, bint lone_cr_first)
    @cython.locals(head=bytes, end=bint, more=bytes)
    cpdef tuple next_field_line(self)
    cpdef bint continues(self, HttpTransaction tx, bytes line) except -1
    @cython.locals(tx=HttpTransaction, status=StatusLine, headers=Headers)
    cpdef bint plain(self, bytes data) except -1
    @cython.locals(line=bytes)
    cpdef bint on_start(self) except -1
    @cython.locals(following=bytes)
    cpdef bint _no_status(self, size) except -1
    @cython.locals(at=Py_ssize_t, head=bytes)
    cpdef bint _is_stray(self) except -1
    @cython.locals(at=Py_ssize_t)
    cpdef bint on_stray(self) except -1
    @cython.locals(tx=HttpTransaction)
    cpdef _begin(self, StatusLine status)
    @cython.locals(tx=HttpTransaction, headers=Headers, method=bytes, status=int, chunked=bint, length="long long",
                   kind=bytes)
    cpdef bint on_headers_done(self) except -1
    @cython.locals(headers=Headers, body=Body, disposition=bytes, ranged=bytes)
    cpdef _prepare(self, HttpTransaction tx)
    cpdef bint _continue(self, HttpTransaction tx) except -1
    cpdef bint _tunnel(self) except -1
    @cython.locals(headers=Headers)
    cpdef bint _switch(self, HttpTransaction tx) except -1
    cpdef bint begins_message(self, bytes line) except -1

@cython.locals(cr=Py_ssize_t, lf=Py_ssize_t)
cpdef Py_ssize_t _first(bytearray buffer, Py_ssize_t start) except? -2
