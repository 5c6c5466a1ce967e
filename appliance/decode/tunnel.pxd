cimport cython
from appliance.model.packet cimport Packet
from appliance.decode.carry cimport carry

cpdef int ip_in_ip(Packet packet) except? -1
cpdef int ipv6_in_ip(Packet packet) except? -1
cpdef int _ip(Packet packet, int version, int least, int kind, str small, str wrong) except? -1
@cython.locals(version=int, size=int)
cpdef int gre(Packet packet, bint erspan1=*) except? -1
@cython.locals(first=int, second=int, size=int, anomaly=str)
cpdef int _version0(Packet packet) except? -1
@cython.locals(frame=bytes, off=Py_ssize_t, end=Py_ssize_t, family=int, length=int)
cpdef int _source_routes(Packet packet, int size) except? -1
@cython.locals(first=int, second=int, size=int, anomaly=str)
cpdef int _version1(Packet packet) except? -1
@cython.locals(mask=int, anomaly=str)
cpdef str _version1_fault(int first, int second, int proto)
@cython.locals(off=Py_ssize_t)
cpdef int _protocol(Packet packet) except? -1
@cython.locals(kind=int, off=Py_ssize_t, left=Py_ssize_t)
cpdef int _carried(Packet packet, int size, bint erspan1) except? -1
@cython.locals(frame=bytes, size=int, inner=Packet, vlan=int)
cpdef int _erspan(Packet packet, Py_ssize_t off, Py_ssize_t left, int version) except? -1
