import cython

from appliance.protocols.http1.conversation cimport Conversation
from appliance.protocols.http1.request cimport RequestSide
from appliance.protocols.http1.response cimport ResponseSide

cdef class HttpParser(Conversation):
    cdef object _configs
    cdef bint _tied
    cdef RequestSide _asks
    cdef ResponseSide _answers
    cpdef data(self, int direction, bytes chunk)
    cpdef _settle(self)
    cpdef _untie(self)
