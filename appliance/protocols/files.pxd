import cython

from appliance.model.app cimport FileObject

cdef Py_ssize_t MAGIC_BYTES
cdef long long _LARGEST

cdef class FileTracker:
    cdef public long long window, next_id
    cdef public frozenset hashes
    cdef public object magic, spool
    cdef _set_up(self, long long window, frozenset hashes, magic, spool)
    @cython.locals(made=FileTracker)
    cpdef FileTracker another(self)
    @cython.locals(file=FileObject)
    cpdef FileObject open(self, bytes name, int direction, long long tx_id)
    @cython.locals(room="long long")
    cpdef append(self, FileObject file, data)
    @cython.locals(room="long long")
    cpdef gap(self, FileObject file, length)
    cpdef close(self, FileObject file, bint complete=*)
    cpdef reopen(self, FileObject file)
