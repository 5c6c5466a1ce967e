cimport cython

@cython.locals(size=Py_ssize_t, base="const char*")
cpdef bytes cut(bytes data, Py_ssize_t start, Py_ssize_t stop)
