cimport cython
from appliance.capture.frame cimport Frame
from appliance.capture.nfqueue.framer cimport Framer
from appliance.capture.nfqueue.message cimport Message, read
from appliance.capture.nfqueue.verdicts cimport Outbox, code_of

cdef int _LOW, _HIGH, _PACKET, _ERROR, _SHIFT, _TCP
cdef long long _NUMBER

cdef class Intake:
    cdef Framer _framer
    cdef Message _message
    cdef Outbox _latest
    cdef public dict outboxes
    cdef public long long received, bytes, malformed, refused, lost, segments
    @cython.locals(size=cython.longlong, kind=int, stop=Py_ssize_t, whole=bint)
    cpdef take(self, bytearray data, object view, Py_ssize_t start, Py_ssize_t end, long long now, list frames)
    @cython.locals(queue=cython.longlong, outbox=Outbox, message=Message, sound=bint, number=cython.longlong,
                   token=cython.longlong, frame=Frame)
    cdef _packet(self, bytearray data, object view, Py_ssize_t start, Py_ssize_t end, bint whole, long long now,
                 list frames)
    cpdef verdict(self, long long token, object decision, long long mark)
    @cython.locals(outbox=Outbox)
    cpdef judged(self, long long token, long long code)
    @cython.locals(found=Outbox)
    cdef Outbox _outbox(self, long long queue)
    @cython.locals(error=cython.longlong)
    cdef _answer(self, bytearray data, Py_ssize_t start)

@cython.locals(version=int)
cdef bint _is_tcp(bytearray data, Py_ssize_t at, Py_ssize_t size) except -1
@cython.locals(top=cython.longlong)
cdef long long _native32(bytearray data, Py_ssize_t at) except -1
