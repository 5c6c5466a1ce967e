cimport cython
from appliance.model.packet cimport Packet

cdef tuple _TIMESTAMPS
cdef frozenset _ONCE
cdef dict _SIZES

@cython.locals(frame=bytes, off=Py_ssize_t, left=Py_ssize_t, hlen=int)
cpdef tcp(Packet packet)
@cython.locals(frame=bytes, kind=int, size=int, seen=list)
cpdef _options(Packet packet, Py_ssize_t at, Py_ssize_t end)
@cython.locals(frame=bytes)
cpdef _timestamps(Packet packet, Py_ssize_t at, Py_ssize_t end)
@cython.locals(high=cython.longlong)
cpdef long long _u32(bytes frame, Py_ssize_t off) except? -1
cpdef bint _fits(int kind, int size)
@cython.locals(frame=bytes)
cpdef _take(Packet packet, Py_ssize_t at, int kind, int size)
