cimport cython
from appliance.model.app cimport Parser, Transaction

cdef int COMPLETE

@cython.locals(tx=Transaction, direction=int)
cpdef finish(Parser parser)
@cython.locals(tx=Transaction, surplus=Py_ssize_t, at=Py_ssize_t)
cpdef close_oldest(Parser parser, Py_ssize_t limit)
