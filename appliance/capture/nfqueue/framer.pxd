cimport cython
from appliance.capture.frame cimport Frame
from appliance.capture.neighbours cimport Neighbours
from appliance.capture.nfqueue.message cimport Message
from appliance.capture.place cimport Place, Places

cdef int LINKTYPE_ETHERNET, _IPV4, _IPV6, _GROUP, _PADDING
cdef long long _SKEW

cdef class Framer:
    cdef Places _places
    cdef Neighbours _neighbours
    cdef public long long truncated
    @cython.locals(vlan=int, indev=cython.longlong, outdev=cython.longlong, place=Place, header=bytes, start=Py_ssize_t,
                   size=Py_ssize_t, made=Frame)
    cpdef Frame frame(self, bytearray data, object view, Message message, long long now, long long number, long long token)
    @cython.locals(missing=cython.longlong, wirelen=cython.longlong, stamp=cython.longlong)
    cdef Frame _cut(self, bytes data, Message message, Place place, long long now, long long number, long long token)

@cython.locals(size=Py_ssize_t, first=Py_ssize_t, i=Py_ssize_t, base="char*")
cdef bytes _joined(bytearray data, bytes header, Py_ssize_t start, Py_ssize_t stop)
cdef int _checked(long long info) except -1
@cython.locals(stamp=cython.longlong)
cdef long long _stamp(Message message, long long now) except -1
@cython.locals(kind=int, source=bytes, target=bytes, tagged=bint)
cdef bytes _header(bytearray data, Message message, Place place, Neighbours neighbours)
@cython.locals(at=Py_ssize_t)
cdef bytes _address(bytearray data, Message message, int end)
@cython.locals(i=Py_ssize_t)
cdef bint _same(bytearray data, Py_ssize_t at, bytes mac) except -1
@cython.locals(header=bytes)
cdef bytes _told(bytearray data, Message message)
cdef bytes _tag(Message message)
@cython.locals(at=Py_ssize_t)
cdef bytes _target(bytearray data, Message message, Place place)
