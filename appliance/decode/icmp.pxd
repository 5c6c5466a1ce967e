cimport cython
from appliance.model.packet cimport Packet

@cython.locals(kind=int, highest=int)
cpdef icmp(Packet packet)
@cython.locals(kind=int, highest=int)
cpdef icmpv6(Packet packet)
@cython.locals(off=Py_ssize_t)
cpdef bint _start(Packet packet, str anomaly)
@cython.locals(frame=bytes, off=Py_ssize_t)
cpdef _identify(Packet packet)
cpdef _unlisted(Packet packet, int kind)
cpdef _quoted(Packet packet, int version, str truncated, str other)
