cimport cython
from appliance.detect.compare cimport Comparison
from appliance.detect.context cimport Context
from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet

cdef class Matcher:
    cpdef bint match(self, Context ctx) except -1

cdef class FieldMatcher(Matcher):
    cdef public object getter
    cdef public Comparison comparison
    cpdef bint match(self, Context ctx) except -1

cdef class OtherSize(FieldMatcher):
    cpdef bint match(self, Context ctx) except -1

cdef class FlagMatcher(Matcher):
    cdef public object getter
    cdef public int bits, keep
    cdef public str modifier
    cpdef bint match(self, Context ctx) except -1

cdef class OptionMatcher(Matcher):
    cdef public int option
    cpdef bint match(self, Context ctx) except -1

cdef class EventMatcher(Matcher):
    cdef public bint decoder
    cdef public str name
    cpdef bint match(self, Context ctx) except -1

cdef class ChecksumMatcher(Matcher):
    cdef public int version, protocol, bit
    cdef public bint invalid
    @cython.locals(packet=Packet)
    cpdef bint match(self, Context ctx) except -1

cdef class KindMatcher(Matcher):
    cdef public str kind
    @cython.locals(packet=Packet)
    cpdef bint match(self, Context ctx) except -1

cdef class VersionMatcher(Matcher):
    cdef public int version
    cpdef bint match(self, Context ctx) except -1

cdef class SameAddress(Matcher):
    cpdef bint match(self, Context ctx) except -1

cdef class VlanMatcher(Matcher):
    cdef public Comparison comparison
    cdef public str layer
    cpdef bint match(self, Context ctx) except -1

cdef class StreamSizeMatcher(Matcher):
    cdef public Comparison comparison
    cdef public str direction
    cpdef bint match(self, Context ctx) except -1

cdef class RpcMatcher(Matcher):
    cdef public tuple wanted
    @cython.locals(packet=Packet)
    cpdef bint match(self, Context ctx) except -1

cdef class BounceMatcher(Matcher):
    @cython.locals(packet=Packet)
    cpdef bint match(self, Context ctx) except -1

cdef class EitherSide(Matcher):
    cdef public tuple names
    cdef public str side
    cdef public Comparison comparison
    cpdef bint match(self, Context ctx) except -1
