cimport cython

cdef class Database:
    cdef object _database, _scan, _handler
    cdef list _found
    cdef public Py_ssize_t longest
    cdef bytes _last
    cpdef list scan(self, data)
    @cython.locals(again=cython.bint)
    cpdef list scan_once(self, bytes data)
