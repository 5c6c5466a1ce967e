from appliance.detect.hyperscan cimport Database

cdef class PatternTable:
    cdef Database _database
    cdef public list owners
    cdef public Py_ssize_t overlap
    cdef public bint regexes
    cdef bint _shared
    cpdef collect(self, data, list into)
    cpdef search(self, data, set into)

cdef class ContentTable:
    cdef Database _database
    cdef public list packet, stream
    cdef public bint on_packet, on_stream
    cdef public Py_ssize_t overlap
    cpdef list scan(self, data)

cdef class PacketGroup:
    cdef public ContentTable content
    cdef public list buffers
    cdef public object ports, stream_ports
