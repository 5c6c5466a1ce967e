import cython

from appliance.protocols.http1.headers cimport Headers
from appliance.protocols.http1.transaction cimport HttpTransaction

cdef bytes _SPACE

@cython.locals(value=bytes, plain=bytes)
cpdef bint transfer_coding(Headers headers, HttpTransaction tx, str word, int version) except -1

@cython.locals(value=bytes, raw="const unsigned char*", size=Py_ssize_t, at=Py_ssize_t, length="long long")
cpdef long long content_length(Headers headers, HttpTransaction tx, str word) except -9

@cython.locals(at=Py_ssize_t, end=Py_ssize_t, digits=bytes)
cpdef long long _first_number(bytes value, HttpTransaction tx, str word) except -9
