cimport cython
from appliance.model.chunk cimport Chunk

@cython.final
cdef class StreamResult:
    cdef public list found, noted
    cdef public object reason
    cdef public bytes replaced
    cdef public str exception, exception_target
    cdef public bint reused, swap, bypass
    cpdef begin(self)
    cpdef add(self, Chunk chunk)
    cpdef note(self, str event)
    cpdef apply(self, str policy, str target)
