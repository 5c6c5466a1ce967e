cimport cython

cdef int _LOW, _HIGH, _PACKET_HDR, _MARK, _TIMESTAMP, _INDEV, _OUTDEV, _PHYSINDEV, _PHYSOUTDEV
cdef int _HWADDR, _PAYLOAD, _CAP_LEN, _SKB_INFO, _VLAN, _L2HDR

cdef class Message:
    cdef public long long packet_id, mark, info, cap_len, seconds, micros
    cdef public long long indev, outdev, physindev, physoutdev
    cdef public int hw_protocol, vlan_proto, vlan_tci
    cdef public Py_ssize_t hw_off, hw_len, l2_off, l2_len, payload_off, payload_len
    cpdef clear(self)

@cython.locals(size=Py_ssize_t, kind=int, sound=bint)
cpdef bint read(bytearray data, Py_ssize_t start, Py_ssize_t end, Message into) except -1
cdef bint _attribute(bytearray data, int kind, Py_ssize_t at, Py_ssize_t size, Message into) except -1
@cython.locals(value=cython.longlong)
cdef bint _number(bytearray data, int kind, Py_ssize_t at, Py_ssize_t size, Message into) except -1
@cython.locals(length=Py_ssize_t)
cdef bint _hardware(bytearray data, Py_ssize_t at, Py_ssize_t size, Message into) except -1
@cython.locals(size=Py_ssize_t, kind=int)
cdef bint _tag(bytearray data, Py_ssize_t start, Py_ssize_t end, Message into) except -1
@cython.locals(top=cython.longlong)
cpdef long long long32(bytearray data, Py_ssize_t at) except -1
