from appliance.protocols.files cimport FileTracker

cdef class Limits:
    cdef public object config
    cdef public bint plus, lowercase
    cdef public Py_ssize_t field_limit, headers_limit
    cdef public long long asked_limit, answered_limit, max_tx
    cdef object _app
    cdef FileTracker _files
    cpdef FileTracker files(self, app)

cdef class Configs:
    cdef public Limits default
    cdef public list servers
    cpdef Limits of(self, bytes server)

cdef dict _CACHE

cpdef Configs configs(options)
