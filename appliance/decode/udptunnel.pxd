cimport cython
from appliance.model.packet cimport Packet
from appliance.decode.carry cimport carry

@cython.locals(kind=int)
cpdef int udp_tunnel(Packet packet, int wanted) except? -1
@cython.locals(frame=bytes, off=Py_ssize_t)
cpdef int vxlan(Packet packet) except? -1
@cython.locals(frame=bytes, off=Py_ssize_t, size=int, kind=int)
cpdef int geneve(Packet packet) except? -1
cpdef bint _options_fit(bytes frame, Py_ssize_t at, Py_ssize_t end)
@cython.locals(frame=bytes, off=Py_ssize_t, left=Py_ssize_t, length=int)
cpdef int teredo(Packet packet) except? -1
cpdef int _type_at(bytes frame, Py_ssize_t off) except? -1
