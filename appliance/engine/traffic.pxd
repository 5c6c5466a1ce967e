cimport cython
from appliance.model.packet cimport Packet

cdef object ACCEPTED

cdef class InterfaceTraffic:
    cdef public long long packets_out, bytes_out, packets_in, bytes_in
    cdef public dict dropped_out, dropped_in

cdef class Traffic:
    cdef public dict _totals
    @cython.locals(dropped=bint)
    cpdef count(self, Packet packet, object decision)
    @cython.locals(found=InterfaceTraffic)
    cpdef _sent(self, object interface, long long packets, long long octets)
    @cython.locals(found=InterfaceTraffic)
    cpdef _received(self, object interface, long long packets, long long octets)
    @cython.locals(found=InterfaceTraffic)
    cpdef InterfaceTraffic _of(self, object interface)
