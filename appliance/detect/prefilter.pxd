from appliance.detect.hyperscan cimport Database

cdef class PatternTable:
    cdef Database _database
    cdef public list owners
    cdef public Py_ssize_t overlap
    cpdef list scan(self, data)
    cdef public bint regexes
    cpdef collect(self, data, list into)
    cpdef search(self, data, set into)

cdef class PacketGroup:
    cdef public PatternTable packet, stream
    cdef public list buffers
    cdef public object ports, stream_ports
