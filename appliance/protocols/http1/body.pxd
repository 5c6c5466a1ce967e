import cython

from appliance.model.app cimport FileObject
from appliance.protocols.files cimport FileTracker

cdef long long _MAX_KEPT
cdef Py_ssize_t _MAX_FILES, MAX_NAME

cdef class Body:
    cdef public FileTracker tracker
    cdef public object chain, multipart
    cdef public int direction
    cdef public long long tx_id, limit, size
    cdef bytes _first
    cdef bytearray _held
    cdef public bytes name
    cdef public FileObject file
    cdef public list files, events
    cdef public bint closed, cut, is_file
    cdef public tuple ranged
    cdef begin(self, FileTracker tracker, int direction, long long tx_id, long long limit)
    cpdef feed(self, bytes data)
    cpdef gap(self, long long length)
    cpdef close(self, bint complete)
    cpdef conclude(self)
    cpdef _reopen(self)
    cpdef long long _allowed(self) except? -1
    @cython.locals(limit="long long", left="long long")
    cpdef _take(self, bytes data)
    cpdef _cut_after(self, bytes data)
    cpdef bytes content(self)
    cpdef _put(self, bytes data)
    cpdef _hold(self, bytes data, long long most)
    @cython.locals(file=FileObject)
    cpdef _open(self, bytes name)
    cpdef _note(self, str event)
