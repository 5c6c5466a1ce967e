import cython

from appliance.model.flow cimport Flow
from appliance.protocols.http1.config cimport Configs, configs
from appliance.protocols.http1.conversation cimport Conversation
from appliance.protocols.http1.request cimport RequestSide
from appliance.protocols.http1.response cimport ResponseSide
from appliance.protocols.http1.transaction cimport HttpTransaction

cdef int BOTH

cdef class HttpParser(Conversation):
    cdef Configs _configs
    cdef RequestSide _asks
    cdef ResponseSide _answers
    @cython.locals(connection=Flow)
    cpdef open(self, flow, app, carried)
    cpdef data(self, int direction, bytes chunk)
    cpdef answer(self, HttpTransaction tx)
    cpdef _settle(self)
    @cython.locals(tx=HttpTransaction)
    cpdef end(self, int direction)
    cpdef cut(self, int direction)
    cpdef _untie(self)
