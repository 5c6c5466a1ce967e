from appliance.model.flow cimport Flow

cdef class Expectations:
    cdef public Py_ssize_t maximum
    cdef public object entries
    cdef public dict parents, counters
    cpdef match(self, Flow flow, long long now)
