import cython

from appliance.protocols.http1.headers cimport Headers
from appliance.protocols.http1.startline cimport RequestLine, StatusLine
from appliance.protocols.http1.uri cimport Target

cdef bytes _FREE, _NAME, _LABEL, _PROTOCOL, _HTTP10, _HTTP11

@cython.locals(raw="const unsigned char*", wanted="const unsigned char*", size=Py_ssize_t, place=Py_ssize_t)
cpdef int _protocol(bytes data, Py_ssize_t at) except -1

@cython.locals(raw="const unsigned char*", size=Py_ssize_t, at=Py_ssize_t, gap=Py_ssize_t, minor=int, found=RequestLine)
cpdef RequestLine request_line(bytes data)

@cython.locals(raw="const unsigned char*", size=Py_ssize_t, at=Py_ssize_t, minor=int, found=StatusLine, digit=int,
               place=Py_ssize_t)
cpdef StatusLine status_line(bytes data)

@cython.locals(raw="const unsigned char*", name="const unsigned char*", size=Py_ssize_t, at=Py_ssize_t,
               begin=Py_ssize_t, colon=Py_ssize_t, first=Py_ssize_t, last=Py_ssize_t, exact=bint)
cpdef Py_ssize_t field_block(bytes data, Py_ssize_t start, Py_ssize_t limit, Headers found) except -2

@cython.locals(raw="const unsigned char*", free="const unsigned char*", size=Py_ssize_t, at=Py_ssize_t,
               question=Py_ssize_t, before=int, byte=int, found=Target)
cpdef Target target(bytes text, bint plus, bint lowercase)

@cython.locals(raw="const unsigned char*", label="const unsigned char*", size=Py_ssize_t, at=Py_ssize_t,
               begin=Py_ssize_t)
cpdef Py_ssize_t host_name(bytes text) except -2

@cython.locals(raw="const unsigned char*", size=Py_ssize_t, at=Py_ssize_t, port=int)
cpdef int port_number(bytes text, Py_ssize_t start) except -9
