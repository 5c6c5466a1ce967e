from appliance.decode.checksum cimport Checksums
from appliance.decode.decoder cimport Decoder
from appliance.detect.detector cimport Detector
from appliance.engine.appcount cimport AppCounters
from appliance.engine.counters cimport Counters
from appliance.engine.filedrain cimport FileDrain
from appliance.engine.traffic cimport Traffic
from appliance.engine.work cimport Work
from appliance.firewall.bound cimport BoundPolicies
from appliance.firewall.firewall cimport Firewall
from appliance.flow.related cimport Expectations
from appliance.flow.table cimport FlowTable
from appliance.inventory.registry cimport Registry
from appliance.model.chunk cimport Chunk
from appliance.model.flow cimport Flow
from appliance.model.packet cimport Packet
from appliance.protocols.session cimport AppLayer
from appliance.stream.tracker cimport TcpTracker

cdef class Parts:
    cdef public int generation, load
    cdef public bint prevent, recorded, inspects
    cdef public frozenset let_go, types
    cdef public object settings, defrag, choice, relief
    cdef public Detector detector
    cdef public Expectations expectations
    cdef public FileDrain file_drain
    cdef public AppLayer app
    cdef public Traffic traffic
    cdef public AppCounters app_counters
    cdef public Registry registry
    cdef public BoundPolicies bound
    cdef public Decoder decoder
    cdef public Checksums checksums
    cdef public FlowTable table
    cdef public TcpTracker tracker
    cdef public Counters counters
    cdef public Firewall firewall
    cpdef Flow open_flow(self, Work work)
    cpdef feed(self, Flow flow, Chunk chunk, long long now)
    cpdef announce(self, Flow flow, long long now)
    cpdef log_app(self, Flow flow, long long now, Packet packet, list events)
