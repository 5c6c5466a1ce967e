cdef class Database:
    cdef object _database, _scan, _handler
    cdef list _found
    cdef public Py_ssize_t longest
    cpdef list scan(self, data)
