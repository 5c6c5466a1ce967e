cimport cython
from appliance.model.packet cimport Packet
from appliance.decode.ethernet cimport advance, u16

@cython.locals(off=Py_ssize_t, little=int, kind=int, head=bytes)
cpdef int null(Packet packet) except? -1
@cython.locals(version=int)
cpdef int raw(Packet packet) except? -1
@cython.locals(off=Py_ssize_t, kind=int)
cpdef int sll(Packet packet) except? -1
@cython.locals(off=Py_ssize_t, kind=int)
cpdef int sll2(Packet packet) except? -1
@cython.locals(kind=int)
cpdef int chdlc(Packet packet) except? -1
@cython.locals(frame=bytes, off=Py_ssize_t)
cpdef int ppp(Packet packet) except? -1
@cython.locals(entry=tuple)
cpdef int ppp_protocol(Packet packet, int proto) except? -1
@cython.locals(length=int, proto=int)
cpdef int pppoe_session(Packet packet) except? -1
@cython.locals(length=int, code=int)
cpdef int pppoe_discovery(Packet packet) except? -1
@cython.locals(at=Py_ssize_t, kind=int)
cpdef _check_tags(Packet packet)
