import cython

cdef bytes _SPACE, _SPACE_NUL, _BLANK

cdef class RequestLine:
    cdef public bytes method, verb, uri, protocol, text
    cdef public int version
    cdef public list events
    cdef begin(self, bytes uri)

cdef class StatusLine:
    cdef public bytes protocol, code, message, text
    cdef public int version, status
    cdef public list events
    cdef begin(self)

@cython.locals(compact=bytes)
cpdef int version_of(bytes text) except? -9

@cython.locals(place=Py_ssize_t, size=Py_ssize_t, byte="unsigned char")
cpdef Py_ssize_t _first_space(bytes data, Py_ssize_t start=*) except -1

@cython.locals(found=RequestLine, events=list, text=bytes, rest=bytes, end=Py_ssize_t)
cpdef RequestLine parse_request(bytes line)

@cython.locals(trimmed=bytes, place=Py_ssize_t, end=Py_ssize_t)
cpdef tuple _split_target(bytes rest, list events)

@cython.locals(found=StatusLine, events=list, text=bytes, rest=bytes, digits=bytes, end=Py_ssize_t)
cpdef StatusLine parse_status(bytes line)

@cython.locals(text=bytes)
cpdef bint looks_like_request(bytes line) except -1
