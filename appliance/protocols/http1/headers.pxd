import cython

cdef bytes _SPACE, _SPACE_NUL, _TOKEN
cdef tuple _FINE
cdef dict _KEYS
cdef list _BY_SHAPE
cdef int _SHAPES
cdef Py_ssize_t _FEW

cpdef bytes key_of(bytes name)
@cython.locals(raw="const unsigned char*", first=int, middle=int, last=int)
cpdef int shape(bytes data, Py_ssize_t start, Py_ssize_t stop) except -1
@cython.locals(raw="const unsigned char*", wanted="const unsigned char*", i=Py_ssize_t)
cdef bint _same(bytes data, Py_ssize_t start, Py_ssize_t stop, bytes name) except -1

@cython.locals(size=Py_ssize_t, raw="const unsigned char*", bit="unsigned long long")
cdef unsigned long long _mark(bytes key) except? 0

cdef class Headers:
    cdef public Py_ssize_t count
    cdef public set repeated
    cdef public bint exact
    cdef public bytes block
    cdef bytearray _lines
    cdef public list names, values
    cdef list _keys
    cdef unsigned long long _marks
    cdef dict _places
    cdef begin(self)
    cpdef Py_ssize_t size(self) except -1
    cpdef grow(self, bytes line)
    @cython.locals(raw="const unsigned char*", known=tuple, name=bytes, key=bytes)
    cpdef put(self, bytes data, Py_ssize_t start, Py_ssize_t stop, bytes value, Py_ssize_t limit)
    cpdef bint add(self, bytes name, bytes value, Py_ssize_t limit) except -1
    @cython.locals(old=bytes, place=Py_ssize_t)
    cpdef bint _add(self, bytes key, bytes name, bytes value, Py_ssize_t limit) except -1
    cdef _append(self, bytes key, bytes name, bytes value)
    @cython.locals(place=Py_ssize_t)
    cpdef bytes get(self, bytes key)
    @cython.locals(keys=list, known=bytes, place=Py_ssize_t)
    cdef Py_ssize_t _find(self, bytes key) except -2

@cython.locals(colon=Py_ssize_t, name=bytes, value=bytes, stripped=bytes, problems=tuple)
cpdef tuple split_field(bytes line)
