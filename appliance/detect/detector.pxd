cimport cython
from appliance.detect.context cimport Context
from appliance.detect.headers cimport established
from appliance.detect.packetinspect cimport PacketInspector
from appliance.detect.state cimport FlowDetect, StreamTail
from appliance.detect.txinspect cimport TxInspector
from appliance.model.app cimport AppState, Transaction
from appliance.model.chunk cimport Chunk
from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet
from appliance.model.tcp cimport TcpSession

cdef int _OVER, COMPLETE, S_MIDSTREAM

cdef class Detector:
    cdef public object ruleset, settings, thresholds, profile, names, _translations
    cdef public Context ctx
    cdef public object _frames, _finisher
    cdef PacketInspector _packets
    cdef TxInspector _transactions
    cdef long long _window
    cdef public bint with_frames
    cdef object _tagged
    cdef list _found
    cpdef stream_data(self, Flow flow, Chunk chunk)
    @cython.locals(ctx=Context, state=FlowDetect, found=list, keep=cython.longlong, tail=StreamTail, app=AppState)
    cpdef inspect(self, Packet packet, Flow flow, long long now, bint inline=*, list events=*, allowed=*)
    cpdef bint tagged(self, Packet packet, Flow flow, long long now) except -1
    @cython.locals(app=AppState, tx=Transaction)
    cpdef flow_ended(self, Flow flow)
    cpdef bint follows(self, Flow flow) except -1
    @cython.locals(state=FlowDetect)
    cpdef FlowDetect _state(self, Flow flow)

@cython.locals(now=bint, before=bint, tcp=TcpSession)
cpdef bint _established(Packet packet, Flow flow, FlowDetect state) except -1
