cdef class StreamResult:
    cdef public list chunks, events
    cdef public object reason
    cdef public bytes replaced
    cdef public str exception, exception_target
    cdef public bint reused, swap, bypass
    cpdef note(self, str event)
    cpdef apply(self, str policy, str target)
