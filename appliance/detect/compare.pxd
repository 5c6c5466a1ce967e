cdef class Comparison:
    cdef public str operator
    cdef public object low, high
    cdef public tuple ranges
    cpdef bint holds(self, value) except -1
    cpdef bint _within(self, value) except -1
