cdef class Neighbours:
    cdef dict _macs
    cpdef learn(self, long long device, bytes address, bytes mac)
    cpdef bytes find(self, long long device, bytes address)
