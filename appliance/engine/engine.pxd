cimport cython
from appliance.engine.pipeline cimport Pipeline
from appliance.engine.settle cimport locate, remember
from appliance.engine.work cimport Result, Trace, Work
from appliance.model.flow cimport Flow
from appliance.model.origin cimport Origin
from appliance.model.packet cimport Packet

cdef int _ETHERNET, _IPV4, _IPV6, _ARP
cdef long long _TICK, _AGAIN
cdef Py_ssize_t _EXPIRE_LIMIT, _GENTLY

cdef class Engine:
    cdef public Pipeline pipeline
    cdef public bint live
    cdef public long long _next_tick, _last
    @cython.locals(packet=Packet, work=Work, pipe=Pipeline, events=list, result=Result)
    cpdef Result process(self, bytes frame, int linktype, long long now, long long number, Py_ssize_t wirelen=*, Trace trace=*, Origin origin=*)
    @cython.locals(flow=Flow, ended=list)
    cpdef list tick(self, long long now)
