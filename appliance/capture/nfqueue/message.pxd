cimport cython

cdef int _LOW, _HIGH, _PACKET_HDR, _MARK, _TIMESTAMP, _INDEV, _OUTDEV, _PHYSINDEV, _PHYSOUTDEV
cdef int _HWADDR, _PAYLOAD, _CAP_LEN, _SKB_INFO, _VLAN, _L2HDR

cdef class Message:
    cdef public long long packet_id, mark, info, cap_len, seconds, micros
    cdef public long long indev, outdev, physindev, physoutdev
    cdef public int hw_protocol, vlan_proto, vlan_tci
    cdef public Py_ssize_t hw_off, hw_len, l2_off, l2_len, payload_off, payload_len
    cpdef clear(self)

@cython.locals(size=Py_ssize_t, kind=int, sound=bint, raw="const unsigned char*")
cpdef bint read(bytearray data, Py_ssize_t start, Py_ssize_t end, Message into) except -1
cdef bint _attribute(const unsigned char* data, int kind, Py_ssize_t at, Py_ssize_t size, Message into) except -1
@cython.locals(value=cython.longlong)
cdef bint _number(const unsigned char* data, int kind, Py_ssize_t at, Py_ssize_t size, Message into) except -1
@cython.locals(length=Py_ssize_t)
cdef bint _hardware(const unsigned char* data, Py_ssize_t at, Py_ssize_t size, Message into) except -1
@cython.locals(size=Py_ssize_t, kind=int)
cdef bint _tag(const unsigned char* data, Py_ssize_t start, Py_ssize_t end, Message into) except -1
@cython.locals(top=cython.longlong)
cdef long long _long32(const unsigned char* data, Py_ssize_t at) noexcept
cdef int _VLAN_PROTO, _VLAN_TCI
