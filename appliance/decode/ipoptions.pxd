cimport cython
from appliance.model.packet cimport Packet

@cython.locals(frame=bytes, kind=int, size=int, seen=list, anomaly=str)
cpdef walk(Packet packet, Py_ssize_t at, Py_ssize_t end)
@cython.locals(kind=int, limits=tuple, sound=bint)
cpdef str _check(bytes frame, Py_ssize_t at, int size, list seen)
@cython.locals(pointer=int)
cpdef bint _route(bytes frame, Py_ssize_t at, int size)
@cython.locals(pointer=int, record=int)
cpdef bint _timestamp(bytes frame, Py_ssize_t at, int size)
@cython.locals(kind=int, size=int)
cpdef bint _cipso(bytes frame, Py_ssize_t at, Py_ssize_t end)
