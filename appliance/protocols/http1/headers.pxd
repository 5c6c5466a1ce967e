import cython

cdef bytes _SPACE, _SPACE_NUL, _TOKEN
cdef tuple _FINE
cdef dict _KEYS

cpdef bytes key_of(bytes name)

cdef class Headers:
    cdef public list fields
    cdef public Py_ssize_t count
    cdef public set repeated
    cdef public bint exact
    cdef public bytes block
    cdef bytearray _lines
    cdef dict _places
    cpdef Py_ssize_t size(self) except -1
    cpdef grow(self, bytes line)
    @cython.locals(key=bytes)
    cpdef put(self, bytes name, bytes value, Py_ssize_t limit)
    cpdef bint add(self, bytes name, bytes value, Py_ssize_t limit) except -1
    @cython.locals(known=bytes, old=bytes)
    cpdef bint _add(self, bytes key, bytes name, bytes value, Py_ssize_t limit) except -1
    @cython.locals(field=tuple)
    cpdef bytes get(self, bytes key)

@cython.locals(colon=Py_ssize_t, name=bytes, value=bytes, stripped=bytes, problems=tuple)
cpdef tuple split_field(bytes line)
