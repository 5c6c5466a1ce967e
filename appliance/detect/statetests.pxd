from appliance.detect.context cimport Context
from appliance.detect.txtests cimport TxTest, TxView

cdef class StateTest(TxTest):
    cdef public object places
    cdef public str operator
    cpdef bint repeats(self, TxView view) except -1
    cpdef int check(self, TxView view, Context ctx) except? -9
