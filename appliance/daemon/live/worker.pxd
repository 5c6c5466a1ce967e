cimport cython
from appliance.capture.frame cimport Frame
from appliance.engine.engine cimport Engine
from appliance.engine.work cimport Result

cdef int BLOCKED, SETTLED
cdef object ACCEPTED, _REJECT
cdef long long _GLANCE, _TIDY, _LOOK, _SECOND

cdef class Worker:
    cdef public object source, reports, rejecter, overload, takings, look, ended, report, tidy
    cdef public Engine engine
    cdef public long long epoch, frames
    cdef public bint stopping, busy
    cdef dict _running
    cdef object _clock, _poll
    cdef long long _room, _full, _next_glance, _next_tidy, _next_look, _next_report
    @cython.locals(frames=list, frame=Frame, idle=bint)
    cpdef run(self)
    @cython.locals(frames=list, tries=int)
    cpdef list _linger(self)
    @cython.locals(result=Result, bits=int)
    cpdef _judge(self, Frame frame)
    @cython.locals(now=cython.longlong)
    cpdef _others(self, bint idle)
