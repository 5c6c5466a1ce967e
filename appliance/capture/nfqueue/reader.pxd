cimport cython
from appliance.capture.batch cimport Batch
from appliance.capture.nfqueue.courier cimport Courier
from appliance.capture.nfqueue.framer cimport Framer
from appliance.capture.nfqueue.intake cimport Intake
from appliance.capture.nfqueue.verdicts cimport Outbox

cdef class NetlinkReader:
    cdef object _clock, _link
    cdef Batch _batch
    cdef Courier _courier
    cdef Framer _framer
    cdef Intake _intake
    cdef dict _outboxes
    cdef int _fd, _most
    cdef long long _oversized
    cdef int _noted
    cdef readonly int tries
    @cython.locals(frames=list, got=int)
    cpdef receive(self, timeout)
    cpdef int _receive(self) except -1
    @cython.locals(now=cython.longlong, start=Py_ssize_t, total=Py_ssize_t, size=Py_ssize_t, i=Py_ssize_t,
                   step=Py_ssize_t, data=bytearray, batch=Batch)
    cpdef _take(self, int got, list frames)
    @cython.locals(intake=Intake)
    cpdef verdict(self, long long token, object decision, long long mark=*)
    @cython.locals(outbox=Outbox, data=bytes, many=cython.bint, waiting=Py_ssize_t)
    cpdef flush(self)
