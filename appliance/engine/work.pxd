from appliance.model.flow cimport Flow
from appliance.model.origin cimport Origin
from appliance.model.packet cimport Packet

cdef object ACCEPTED

cdef class Trace:
    cdef public list lines
    cpdef add(self, str stage, str decision, str why=*)

cdef class Work:
    cdef public Packet packet
    cdef public long long now
    cdef public list events, chunks, stream_events
    cdef public Trace trace
    cdef public Flow flow, related
    cdef public bint new_flow, inspect, usable
    cdef public object decision, rule
    cdef public Origin origin
    cpdef begin(self, Packet packet, long long now, list events, Trace trace)
    cpdef decide(self, object decision, object rule=*)
    cpdef note(self, str stage, str decision, str why=*)

cdef class Result:
    cdef public int mark
    cdef public Packet packet
    cdef public Flow flow
    cdef public object decision
    cdef public list events
    cpdef begin(self, Packet packet, Flow flow, object decision, list events)
