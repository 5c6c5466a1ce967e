import cython

from appliance.model.app cimport Transaction
from appliance.model.cut cimport cut
from appliance.protocols.files cimport FileTracker
from appliance.protocols.http1.body cimport Body
from appliance.protocols.http1.headers cimport Headers
from appliance.protocols.http1.startline cimport RequestLine, StatusLine
from appliance.protocols.http1.uri cimport Target

cdef class HttpTransaction(Transaction):
    cdef public RequestLine request
    cdef public StatusLine response
    cdef public bytes request_line, response_line, host
    cdef public Headers request_headers, response_headers
    cdef public Body asked, answered
    cdef public Target target
    cdef public int port
    cdef public bint seen_continue
    cdef begin(self, long long tx_id, FileTracker files, long long asked_limit, long long answered_limit)
    cpdef Headers headers_of(self, int direction)
    cpdef Headers own_headers(self, int direction)
    cpdef Body body_of(self, int direction)
    cpdef note(self, str event)
    @cython.locals(known=int)
    cpdef advance(self, int direction, int step)
    @cython.locals(asked=Body, answered=Body)
    cpdef sync(self)
    cpdef _take_events(self, Body body)
    cpdef bytes field(self, int direction, bytes key)
    cpdef buffer(self, str name, int direction)
    cpdef value(self, str name)

cdef tuple _BUFFERS
cdef Headers NO_HEADERS
cdef RequestLine _NO_REQUEST
cdef StatusLine _NO_RESPONSE
cdef Target _NO_TARGET

@cython.locals(headers=Headers)
cpdef bytes _joined(HttpTransaction tx, int direction)
@cython.locals(headers=Headers)
cpdef bytes _names(HttpTransaction tx, int direction)
@cython.locals(headers=Headers)
cpdef list _each(HttpTransaction tx, int direction)
@cython.locals(line=bytes, headers=Headers)
cpdef bytes _start(HttpTransaction tx, int direction)
@cython.locals(headers=Headers)
cpdef bytes _raw(HttpTransaction tx, int direction)
cpdef bytes _protocol(HttpTransaction tx, int direction)
@cython.locals(body=Body)
cpdef bytes _body(HttpTransaction tx, int direction)
@cython.locals(body=Body, data=bytes)
cpdef list _file_data(HttpTransaction tx, int direction)
@cython.locals(body=Body)
cpdef list _file_names(HttpTransaction tx, int direction)
@cython.locals(headers=Headers)
cpdef bytes _cookie(HttpTransaction tx, int direction)
cpdef bytes _field(HttpTransaction tx, int direction, bytes key)
@cython.locals(host=bytes)
cpdef bytes _host(HttpTransaction tx, int direction)
cpdef bytes _uri(HttpTransaction tx, int direction)
cpdef bytes _raw_uri(HttpTransaction tx, int direction)
cpdef bytes _method(HttpTransaction tx, int direction)
cpdef bytes _line(HttpTransaction tx, int direction)
cpdef bytes _code(HttpTransaction tx, int direction)
cpdef bytes _reason(HttpTransaction tx, int direction)
