cimport cython
from appliance.model.packet cimport Packet

cpdef tuple embedded(Packet packet)
@cython.locals(fragment=int, l4=Py_ssize_t)
cpdef tuple _ipv4(bytes frame, Py_ssize_t off, Py_ssize_t end)
@cython.locals(proto=int, l4=Py_ssize_t, later=bint)
cpdef tuple _ipv6(bytes frame, Py_ssize_t off, Py_ssize_t end)
cpdef tuple _with_ports(bytes frame, int proto, bytes src, bytes dst, Py_ssize_t l4, Py_ssize_t end)
