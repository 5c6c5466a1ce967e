import cython

from appliance.model.app cimport Parser
from appliance.protocols.files cimport FileTracker
from appliance.protocols.http1.config cimport Limits
from appliance.protocols.http1.startline cimport RequestLine
from appliance.protocols.http1.transaction cimport HttpTransaction
from appliance.protocols.http1.uri cimport Target

cdef int COMPLETE, _ANSWERS

cdef class Conversation(Parser):
    cdef public object request, response
    cdef public Limits limits
    cdef public FileTracker files
    cdef public HttpTransaction oldest
    cdef object _behind
    cdef public int server_port
    cdef public bint stopped
    cdef int _ended
    cdef _begin(self, settings, Limits limits)
    @cython.locals(tx=HttpTransaction)
    cpdef HttpTransaction new_request(self)
    @cython.locals(count=Py_ssize_t, most="long long", late=HttpTransaction)
    cdef _await(self, HttpTransaction tx)
    @cython.locals(tx=HttpTransaction)
    cdef HttpTransaction _next(self)
    cdef _await_none(self)
    @cython.locals(tx=HttpTransaction, known=HttpTransaction, target=Target)
    cpdef HttpTransaction next_unanswered(self)
    cpdef answer(self, HttpTransaction tx)
    cpdef revive(self, HttpTransaction tx)
    cpdef change(self, str protocol)
    cpdef opaque(self)
    @cython.locals(tx=HttpTransaction, number="long long", limits=Limits, files=FileTracker)
    cpdef HttpTransaction open_tx(self)
