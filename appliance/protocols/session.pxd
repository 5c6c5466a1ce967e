import cython

from appliance.model.app cimport AppState, Parser
from appliance.model.chunk cimport Chunk
from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet
from appliance.protocols.detection cimport Detector
from appliance.protocols.upkeep cimport close_oldest, finish

cdef int F_MIDSTREAM, F_SWAPPED

cdef class AppLayer:
    cdef public object settings, wanted, turn
    cdef public dict specs
    cdef dict _options, _makers
    cdef frozenset _frames
    cdef Py_ssize_t _most, _held
    cdef Detector _tcp, _udp
    @cython.locals(state=AppState, direction=int)
    cpdef data(self, Flow flow, Chunk chunk, long long now)
    @cython.locals(state=AppState, direction=int, payload=bytes, name=str)
    cpdef datagram(self, Packet packet, Flow flow, long long now)
    cpdef end(self, Flow flow, int direction, long long now)
    cpdef cut(self, Flow flow, int direction, long long now)
    @cython.locals(state=AppState)
    cpdef _end(self, Flow flow, int direction, long long now, bint cut)
    cdef _end_parser(self, Parser parser, int direction, long long now, bint cut)
    @cython.locals(state=AppState)
    cpdef AppState _state(self, Flow flow)
    @cython.locals(name=str)
    cpdef bint _backwards(self, Flow flow, AppState state, int direction, bytes data) except -1
    cpdef bint _answers(self, Flow flow, int direction, str name, bytes data) except -1
    @cython.locals(held=bytes, name=str)
    cpdef _take(self, Flow flow, AppState state, int direction, bytes data, long long now)
    @cython.locals(held=bytes)
    cpdef _hold(self, AppState state, int direction, bytes data)
    cpdef _bail(self, Flow flow, AppState state, int direction)
    cpdef _settle(self, Flow flow, AppState state, int direction, str name, long long now)
    cpdef bint _settle_first(self, Flow flow, AppState state, int direction, str name, long long now) except -1
    cpdef _fail(self, Flow flow, AppState state)
    @cython.locals(held=bytes, lost="long long")
    cpdef _flush(self, Flow flow, AppState state, int direction, long long now)
    @cython.locals(parser=Parser)
    cpdef _open(self, Flow flow, AppState state, str name, object carried, long long now)
    cpdef _take_datagram(self, Flow flow, AppState state, int direction, str name, long long now)
    @cython.locals(parser=Parser)
    cpdef _feed(self, Flow flow, AppState state, int direction, bytes data, long long now)
    cpdef _after(self, Flow flow, AppState state, Parser parser, long long now)

cpdef object _carried(AppState state)
