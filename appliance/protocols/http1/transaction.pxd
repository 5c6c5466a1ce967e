import cython

from appliance.model.app cimport Transaction
from appliance.protocols.http1.body cimport Body
from appliance.protocols.http1.headers cimport Headers
from appliance.protocols.http1.startline cimport RequestLine, StatusLine
from appliance.protocols.http1.uri cimport Target

cdef class HttpTransaction(Transaction):
    cdef public RequestLine request
    cdef public StatusLine response
    cdef public bytes request_line, response_line, host
    cdef public tuple headers, bodies
    cdef public Target target
    cdef public int port
    cdef public bint seen_continue
    cpdef note(self, str event)
    @cython.locals(known=int)
    cpdef advance(self, int direction, int step)
    @cython.locals(asked=Body, answered=Body, body=Body)
    cpdef sync(self)
