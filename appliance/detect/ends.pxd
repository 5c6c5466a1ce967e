cimport cython
from appliance.detect.context cimport Context
from appliance.detect.headers cimport Header

cdef class Ends:
    cdef public list headers
    @cython.locals(found=cython.longlong, bit=cython.longlong, number=Py_ssize_t, header=Header)
    cpdef long long live(self, long long wanted, Context ctx) except -1
