cdef class Frame:
    cdef public bytes data
    cdef public int linktype
    cdef public long long now, wirelen, number, token
    cdef public object interface, origin, egress
