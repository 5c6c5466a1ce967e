cimport cython

cdef class Origin:
    cdef public object source, target
    cdef public int zone, reply
    cdef public long long copy, unseen
    cdef public bint known, related, checked, segments, unmapped

@cython.locals(zone=cython.longlong)
cpdef long long place_of(Origin origin) except? -1
