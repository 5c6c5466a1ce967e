cimport cython
from appliance.model.packet cimport Packet

@cython.locals(frame=bytes, padding=int, others=int, kind=int, size=int)
cpdef check_options(Packet packet, int header, Py_ssize_t at, Py_ssize_t end)
cpdef bint _sound(Packet packet, int header, int kind, int size)
