cdef class Blocks:
    cdef public Py_ssize_t max_blocks
    cdef public long long evicted
    cdef dict _until
    cpdef adopt(self, Blocks other)
