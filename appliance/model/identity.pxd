cdef class VmInterface:
    cdef readonly Py_ssize_t index
    cdef readonly object vm, vlan
    cdef readonly str name, network, port
    cdef readonly bytes mac
    cdef readonly tuple addresses
    cdef readonly frozenset tags
    cpdef numbered(self, Py_ssize_t index, vm)
