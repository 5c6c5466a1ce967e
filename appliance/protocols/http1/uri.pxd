import cython


cdef class Target:
    cdef public bytes path, query, host, normal, userinfo
    cdef public int port
    cdef public bint double_encoded
