import cython

from appliance.model.app cimport Parser
from appliance.protocols.files cimport FileTracker
from appliance.protocols.http1.body cimport Body
from appliance.protocols.http1.startline cimport RequestLine
from appliance.protocols.http1.transaction cimport HttpTransaction
from appliance.protocols.http1.uri cimport Target

cdef int COMPLETE

cdef class Conversation(Parser):
    cdef public object config, waiting, request, response
    cdef public FileTracker files
    cdef public int server_port
    cdef public bint stopped, plus, lowercase
    cdef public Py_ssize_t field_limit, headers_limit
    cdef list _ended
    cdef long long _asked_limit, _answered_limit, _most
    cpdef use(self, config)
    @cython.locals(tx=HttpTransaction)
    cpdef HttpTransaction new_request(self)
    @cython.locals(tx=HttpTransaction, target=Target, body=Body)
    cpdef HttpTransaction next_unanswered(self)
    cpdef revive(self, HttpTransaction tx)
    cpdef change(self, str protocol)
    cpdef opaque(self)
    @cython.locals(tx=HttpTransaction, number="long long")
    cpdef HttpTransaction open_tx(self)
