import cython

from appliance.model.identity cimport VmInterface
from appliance.model.origin cimport Origin, Vouched
from appliance.model.packet cimport Packet

cdef int _ARP, _RARP, _DHCP_SERVER, PROTO_IGMP, PROTO_UDP
cdef tuple _NO_ADDRESS
cdef bytes _LINK_LOCAL_4

cdef class Registry:
    cdef public object inventory
    cdef dict _macs, _owners, _ranges, _by_identity
    cdef list _allowed
    cdef tuple _interfaces
    @cython.locals(found=Registry)
    cpdef following(self, inventory)
    cpdef _put(self, old, new)
    @cython.locals(index=Py_ssize_t)
    cpdef own(self, VmInterface interface)
    @cython.locals(vouched=Vouched)
    cpdef admit(self, Packet packet, Origin origin)
    cpdef place(self, Packet packet, Origin origin)
    @cython.locals(sender=VmInterface)
    cpdef check_port(self, Packet packet, Origin origin)
    cpdef identify(self, Packet packet)
    @cython.locals(found=list, same=list)
    cpdef _by_mac(self, bytes mac, object vlan, bytes address)
    cpdef _by_address(self, bytes address)
    @cython.locals(size=Py_ssize_t, first=bytes, last=bytes)
    cpdef bint _may_use(self, VmInterface interface, bytes address) except -1
    cpdef check(self, Packet packet)
    cpdef _check(self, Packet packet, VmInterface sender)
    cpdef _check_arp(self, Packet packet, VmInterface sender)
    @cython.locals(address=bytes)
    cpdef _check_ip(self, Packet packet, VmInterface sender)
    @cython.locals(owners=list, same=list, near=VmInterface)
    cpdef bint _taken(self, Packet packet, VmInterface sender, bytes address) except -1

cpdef bint _link_local(bytes address) except -1
cpdef bint _unclaimed(Packet packet) except -1
