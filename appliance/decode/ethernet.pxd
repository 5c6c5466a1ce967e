cimport cython
from appliance.model.cut cimport cut
from appliance.model.packet cimport Packet

@cython.locals(frame=bytes, off=Py_ssize_t)
cpdef int ethernet(Packet packet) except? -1
@cython.locals(frame=bytes, off=Py_ssize_t)
cpdef int nested_ethernet(Packet packet) except? -1
cpdef advance(Packet packet, Py_ssize_t size)
@cython.locals(off=Py_ssize_t)
cpdef int u16(Packet packet, Py_ssize_t at) except? -1
@cython.locals(frame=bytes, off=Py_ssize_t, length=int, kind=int)
cpdef int llc(Packet packet) except? -1
@cython.locals(frame=bytes, off=Py_ssize_t)
cpdef int vlan(Packet packet) except? -1
cpdef int vntag(Packet packet) except? -1
cpdef int etag(Packet packet) except? -1
cpdef int backbone(Packet packet) except? -1
@cython.locals(kind=int)
cpdef int _tag(Packet packet, int size, str anomaly) except? -1
cpdef int dce(Packet packet) except? -1
@cython.locals(depth=int, label=int, bottom=int)
cpdef int mpls(Packet packet) except? -1
@cython.locals(nibble=int)
cpdef int _after_labels(Packet packet) except? -1
@cython.locals(frame=bytes, off=Py_ssize_t, size=int, kind=int, limits=tuple)
cpdef int nsh(Packet packet) except? -1
@cython.locals(kind=int)
cpdef int _after_nsh(Packet packet, int proto) except? -1
