import cython

from appliance.model.app cimport Parser
from appliance.protocols.http1.body cimport Body
from appliance.protocols.http1.request cimport RequestSide
from appliance.protocols.http1.response cimport ResponseSide
from appliance.protocols.http1.transaction cimport HttpTransaction

cdef class HttpParser(Parser):
    cdef public object config, files, waiting, _configs
    cdef public int server_port
    cdef public bint stopped, _tied
    cdef public list _ended
    cdef public RequestSide request
    cdef public ResponseSide response
    cpdef _untie(self)
    @cython.locals(tx=HttpTransaction)
    cpdef HttpTransaction new_request(self)
    @cython.locals(tx=HttpTransaction)
    cpdef HttpTransaction next_unanswered(self)
    cpdef change(self, str protocol)
    cpdef opaque(self)
    @cython.locals(tx=HttpTransaction, number="long long")
    cpdef HttpTransaction _open(self)
