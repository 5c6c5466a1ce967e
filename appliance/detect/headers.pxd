cimport cython
from appliance.detect.addresses cimport AddressMatcher, PortMatcher
from appliance.detect.context cimport Context
from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet
from appliance.model.tcp cimport TcpSession

cdef int PROTO_TCP, _ESTABLISHED, _NEW

cdef class Header:
    cdef public object protocols
    cdef public int version, only_direction, established, fragment
    cdef public bint non_ip, both_ways, transaction, with_ports, anything
    cdef public AddressMatcher source, destination
    cdef public PortMatcher source_ports, destination_ports
    cdef Context _asked
    cdef long long _stamp
    cdef bint _answer
    cpdef bint match(self, Context ctx) except -1
    @cython.locals(packet=Packet)
    cpdef bint concerns(self, Context ctx) except -1
    cpdef bint _flow_fits(self, Context ctx, Packet packet) except -1
    cpdef bint _ends_fit(self, Context ctx, Packet packet) except -1
    cpdef bint _fits(self, bytes src, int sport, bytes dst, int dport) except -1

@cython.locals(tcp=TcpSession)
cpdef bint established(Flow flow) except -1
