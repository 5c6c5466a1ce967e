cimport cython
from appliance.model.identity cimport VmInterface
from appliance.model.packet cimport Packet

cdef object ACCEPTED

@cython.final
cdef class InterfaceTraffic:
    cdef public long long packets_out, bytes_out, packets_in, bytes_in
    cdef public dict dropped_out, dropped_in
    cdef public VmInterface interface

@cython.final
cdef class Traffic:
    cdef public dict _totals
    cdef list _by_index
    @cython.locals(dropped=bint)
    cpdef count(self, Packet packet, object decision)
    @cython.locals(found=InterfaceTraffic)
    cpdef _sent(self, VmInterface interface, long long packets, long long octets)
    @cython.locals(found=InterfaceTraffic)
    cpdef _received(self, VmInterface interface, long long packets, long long octets)
    @cython.locals(found=InterfaceTraffic, index=Py_ssize_t)
    cpdef InterfaceTraffic _of(self, VmInterface interface)
    @cython.locals(found=InterfaceTraffic, missing=Py_ssize_t)
    cpdef InterfaceTraffic _find(self, VmInterface interface)
