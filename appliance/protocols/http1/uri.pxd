import cython


@cython.freelist(8)
cdef class Target:
    cdef public bytes path, query, host, normal, userinfo
    cdef public int port
    cdef public bint double_encoded
