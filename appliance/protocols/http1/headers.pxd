import cython

cdef bytes _SPACE, _SPACE_NUL, _TOKEN
cdef tuple _FINE

cpdef bytes key_of(bytes name)

cdef class Headers:
    cdef public list fields
    cdef public bytearray raw
    cdef public Py_ssize_t count
    cdef public set repeated
    cdef dict _places
    @cython.locals(key=bytes, known=bytes, old=bytes)
    cpdef bint add(self, bytes name, bytes value, Py_ssize_t limit) except -1
    cpdef bytes get(self, bytes key)

@cython.locals(colon=Py_ssize_t, name=bytes, value=bytes, stripped=bytes, problems=tuple)
cpdef tuple split_field(bytes line)
