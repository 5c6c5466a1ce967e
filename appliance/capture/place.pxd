cimport cython

cdef class Place:
    cdef public long long indev, outdev
    cdef public int vlan
    cdef public object source, target, name, egress
    cdef public bytes source_mac, target_mac, header4, header6
    cdef public list origins
    cdef public bint from_uplink, to_uplink
    @cython.locals(index=int)
    cpdef object origin(self, long long mark, int info)
    cpdef object make(self, long long mark, int info)

cdef class Places:
    cdef object _ports
    cdef dict _known
    cdef Place _last, _before
    @cython.locals(last=Place, found=Place)
    cpdef Place find(self, long long indev, long long outdev, int vlan)

@cython.locals(first=int)
cpdef group_mac(bytearray data, Py_ssize_t at, int version)
