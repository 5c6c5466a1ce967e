cimport cython
from appliance.model.flow cimport Flow

@cython.final
cdef class FlowQueues:
    cdef public list oldest, newest
    @cython.locals(last=Flow)
    cpdef append(self, Flow flow, int queue)
    @cython.locals(queue=int, newer=Flow, older=Flow)
    cpdef remove(self, Flow flow)
    cpdef move(self, Flow flow, int queue)
