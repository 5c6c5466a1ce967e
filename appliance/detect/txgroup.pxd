cimport cython
from appliance.detect.prefilter cimport PatternTable
from appliance.detect.signature cimport Signature
from appliance.detect.txtests cimport BufferKey, Place

cdef Py_ssize_t SMALL, REMEMBERED, REST, NO_OVERLAP

cdef class TxEntry:
    cdef public BufferKey key
    cdef public Place place
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

cdef class TxScope:
    cdef public str protocol
    cdef public bint with_endian
    cdef public list tables, growing, always
    cdef public bytes fits
    cdef public long long live

cdef class TxGroup:
    cdef public str protocol
    cdef public bint with_endian
    cdef public list tables, always
    cdef public bytes fits
    cdef public long long ends
    cdef dict _scopes
    cdef TxScope _last
    @cython.locals(found=TxScope, last=TxScope)
    cpdef TxScope scope(self, long long live)

cdef class TxTables:
    cdef object _keys
    cdef list _signatures, _mine, _tables
    cdef set _unfound
    cpdef TxGroup group(self, str protocol, int direction)
    @cython.locals(signature=Signature)
    cpdef _complete(self, TxGroup group, str protocol, int direction)
    @cython.locals(signature=Signature, fits=bytearray)
    cpdef bytes _fitting(self, str protocol, int direction)
    @cython.locals(signature=Signature, index=Py_ssize_t, found=cython.longlong)
    cpdef long long _ends(self, list rules) except -1
