cimport cython
from appliance.detect.compare cimport Comparison
from appliance.detect.context cimport Context
from appliance.detect.steps cimport Check, number

cdef class Reader(Check):
    cdef public int count_var, offset_var, base
    cdef public object count, offset, bitmask, value
    cdef public str endian
    cpdef read(self, Context ctx)

cdef class ByteTestStep(Reader):
    cdef public bint negated
    cdef public str operator
    cdef public object operand
    cdef public int operand_var
    cpdef bint test(self, Context ctx) except -1
    cpdef bint _compare(self, value, operand) except -1

cdef class ByteJumpStep(Reader):
    cdef public bint align, from_beginning, from_end
    cdef public object multiplier, post
    cdef public int post_var
    cpdef bint test(self, Context ctx) except -1

cdef class ByteExtractStep(Reader):
    cdef public object align, multiplier
    cdef public int variable
    cpdef bint test(self, Context ctx) except -1

cdef class ByteMathStep(Reader):
    cdef public object operand
    cdef public int operand_var, variable
    cdef public str operator
    cpdef bint test(self, Context ctx) except -1
    cpdef _combine(self, operand)

cdef class IsDataAtStep(Check):
    cdef public bint negated
    cdef public object offset
    cdef public int offset_var
    cpdef bint test(self, Context ctx) except -1

cdef class SizeStep(Check):
    cdef public Comparison comparison
    cpdef bint test(self, Context ctx) except -1
