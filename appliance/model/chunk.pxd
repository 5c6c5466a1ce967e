cdef class Chunk:
    cdef public int direction
    cdef public long long offset, gap
    cdef public bytes data
    cdef public bint eof
