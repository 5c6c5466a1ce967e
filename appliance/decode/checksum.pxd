cimport cython
from appliance.model.packet cimport Packet

@cython.final
cdef class Checksums:
    cdef public bint auto, enabled, lenient, sampling
    cdef public long long seen, bad
    cpdef bint verify(self, Packet packet)
    cpdef bint verify_header(self, Packet packet)
    cpdef sample(self, bint bad)
@cython.locals(total=cython.longlong)
cpdef bint _ip_good(Packet packet)
@cython.locals(proto=int, start=Py_ssize_t, end=Py_ssize_t, total=cython.longlong)
cpdef bint _l4_good(Packet packet)
@cython.locals(field=int, total=cython.longlong, length=Py_ssize_t)
cpdef bint _left_to_card(Packet packet)
@cython.locals(total=cython.longlong, stop=Py_ssize_t, base="const unsigned char*")
cpdef long long words(bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
