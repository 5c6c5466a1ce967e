import cython

from appliance.protocols.http1.body cimport Body
from appliance.protocols.http1.config cimport Limits
from appliance.protocols.http1.conversation cimport Conversation
from appliance.protocols.http1.headers cimport Headers
from appliance.protocols.http1.framing cimport content_length, transfer_coding
from appliance.protocols.http1.plain cimport host_name, port_number, request_line
from appliance.protocols.http1.plain cimport target as plain_target
from appliance.protocols.http1.side cimport Side
from appliance.protocols.http1.startline cimport RequestLine, looks_like_request, parse_request
from appliance.protocols.http1.transaction cimport HttpTransaction
from appliance.protocols.http1.uri cimport Target

cdef int CONNECT_STEP, HEADERS_STEP, SHORT_STEP, START_STEP, HEADERS, LINE, _MAX_HELD, _PROBE
cdef bytes _LITERAL, _NAME, _POST, _PUT

cdef class RequestSide(Side):
    cdef public Py_ssize_t probed
    cdef start(self, Conversation parser)
    cpdef bint on_other(self) except -1
    @cython.locals(line=bytes, text=bytes)
    cpdef bint on_start(self) except -1
    @cython.locals(tx=HttpTransaction)
    cpdef bint _overlong(self) except -1
    @cython.locals(tx=HttpTransaction, request=RequestLine, headers=Headers)
    cpdef bint plain(self, bytes data) except -1
    @cython.locals(tx=HttpTransaction, target=Target)
    cpdef _begin(self, RequestLine request, bint whole, Py_ssize_t size)
    @cython.locals(found=Target, limits=Limits)
    cpdef Target _target(self, RequestLine request)
    @cython.locals(tx=HttpTransaction, start=Py_ssize_t, at=Py_ssize_t, line=bytes)
    cpdef bint on_short(self) except -1
    cpdef bint _short(self) except -1
    cpdef answered(self, HttpTransaction tx)
    @cython.locals(tx=HttpTransaction, headers=Headers, mine=Body, coding=bint, length="long long", kind=bytes)
    cpdef bint on_headers_done(self) except -1
    cpdef bint on_connect(self) except -1
    cpdef refused(self)
    @cython.locals(headers=Headers, value=bytes, end=Py_ssize_t, port=int)
    cpdef _check_host(self, HttpTransaction tx)
    @cython.locals(headers=Headers, value=bytes)
    cpdef _check_auth(self, HttpTransaction tx)
    cpdef bint begins_message(self, bytes line) except -1

@cython.locals(label=bytes)
cpdef bint _valid_host(bytes host) except -1
