cimport cython
from appliance.model.packet cimport Packet
from appliance.decode.ethernet cimport ethernet
from appliance.decode.icmp cimport icmp, icmpv6
from appliance.decode.ipv4 cimport ipv4
from appliance.decode.ipv6 cimport ipv6
from appliance.decode.tcp cimport tcp
from appliance.decode.transport cimport esp, igmp, sctp, udp
from appliance.decode.tunnel cimport gre, ip_in_ip, ipv6_in_ip
from appliance.decode.udptunnel cimport udp_tunnel

cdef int GENEVE, TEREDO

@cython.final
cdef class Decoder:
    cdef public int max_depth, layers
    cdef public bint erspan1, teredo_anywhere
    cdef public dict shims
    cdef public bytes udp_ports
    @cython.locals(packet=Packet, kind=int)
    cpdef Packet decode(self, bytes frame, int linktype, long long now, long long number, Py_ssize_t wirelen=*)
    @cython.locals(whole=Packet, kind=int)
    cpdef Packet redecode(self, Packet packet, bytes datagram)
    @cython.locals(after=int)
    cpdef int network(self, Packet packet, int kind) except? -1
    cpdef unknown(self, Packet packet, int after)
    cpdef int over_vj(self, Packet packet) except? -1
    cpdef int over_ipv4(self, Packet packet, int proto) except? -1
    cpdef int over_ipv6(self, Packet packet, int proto) except? -1
    cpdef int over_ip(self, Packet packet, int proto) except? -1
    @cython.locals(wanted=int)
    cpdef int over_udp(self, Packet packet) except? -1
    @cython.locals(inner=Packet)
    cpdef carried(self, Packet packet, int kind)
