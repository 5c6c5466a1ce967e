cimport cython
from appliance.model.packet cimport Packet
from appliance.model.taken cimport taken

cdef bytes _FITS, _ONCE, _TIMESTAMPS
cdef bytearray _kinds
cdef int _ROOM, _ROW
cdef long long _PADDED

@cython.locals(frame=bytes, head="const unsigned char*", off=Py_ssize_t, left=Py_ssize_t, hlen=int)
cpdef tcp(Packet packet)
@cython.locals(frame=bytes, head="const unsigned char*", kinds=bytearray, kind=int, size=int, once=int, met=int, count=Py_ssize_t)
cpdef _options(Packet packet, Py_ssize_t at, Py_ssize_t end)
@cython.locals(high=cython.longlong)
cdef long long _u32(const unsigned char* head, Py_ssize_t off) noexcept
@cython.locals(frame=bytes)
cpdef _take(Packet packet, Py_ssize_t at, int kind, int size)
