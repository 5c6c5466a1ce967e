cimport cython
from appliance.detect.prefilter cimport PatternTable
from appliance.detect.txtests cimport BufferKey

cdef Py_ssize_t SMALL, REMEMBERED, REST, NO_OVERLAP

cdef class TxEntry:
    cdef public BufferKey key
    cdef public PatternTable table, regexes
    cdef public int progress
    cdef public bint growing
    cdef public long long ends
    cdef public Py_ssize_t overlap
    cdef dict _known
    cdef Py_ssize_t _hits, _rest
    cpdef add(self, PatternTable table, long long ends)
    @cython.locals(found=tuple)
    cpdef tuple find(self, bytes data)
    cpdef tuple grown(self, bytes data, Py_ssize_t known)
    @cython.locals(found=list)
    cpdef tuple _search(self, bytes data, Py_ssize_t start)

cdef class TxGroup:
    cdef public str protocol
    cdef public bint with_endian
    cdef public list tables, growing, always
    cdef public long long ends
