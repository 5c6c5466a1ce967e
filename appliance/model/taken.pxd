cimport cython

@cython.locals(base="char*", made=bytes)
cpdef bytes taken(bytearray room, Py_ssize_t size)
