import cython

cdef int PROBE_MAYBE, PROBE_NO, PROBE_YES, _PORTS

cdef class Entry:
    cdef public str name
    cdef public object pattern, confirm
    cdef public bint nocase
    cdef public bytes head
    cdef public Py_ssize_t offset, size
    @cython.locals(raw="const unsigned char*", wanted="const unsigned char*", start=Py_ssize_t, there=Py_ssize_t,
                   at=Py_ssize_t, byte=int)
    cpdef int match(self, bytes data) except -1

cdef class Detector:
    cdef public Py_ssize_t limit
    cdef tuple _anchored, _floating, _by_port, _ranges, _anywhere
    cdef list _starting, _named
    cdef dict _pairs
    @cython.locals(named=bytes, server="long long", client="long long", key="long long")
    cpdef list _asked(self, int direction, int server_port, int client_port)
    @cython.locals(open_=bint, entries=list, entry=Entry, answer=int, byte=int)
    cpdef str recognise(self, int direction, bytes data, int server_port, int client_port)
