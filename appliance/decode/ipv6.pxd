cimport cython
from appliance.model.packet cimport Packet
from appliance.decode.ipv6options cimport check_options

@cython.locals(frame=bytes, off=Py_ssize_t, length=int, proto=int)
cpdef int ipv6(Packet packet) except? -1
cpdef int _follow(Packet packet, int proto) except? -1
@cython.locals(seen=list, prev=Py_ssize_t, off=Py_ssize_t, size=int, repeated=bint)
cpdef int _walk(Packet packet, int proto) except? -1
@cython.locals(units=int)
cpdef int _size(Packet packet, int proto) except? -1
@cython.locals(limit=tuple)
cpdef bint _repeated(Packet packet, int proto, list seen)
@cython.locals(frame=bytes, off=Py_ssize_t)
cpdef bint _header(Packet packet, int proto, Py_ssize_t prev)
@cython.locals(frame=bytes, off=Py_ssize_t, word=int)
cpdef bint _fragment(Packet packet, Py_ssize_t prev)
cpdef unsigned int _u32(bytes frame, Py_ssize_t off) except? 0
