from appliance.decode.checksum cimport Checksums
from appliance.decode.decoder cimport Decoder
from appliance.engine.counters cimport Counters
from appliance.firewall.firewall cimport Firewall
from appliance.flow.table cimport FlowTable
from appliance.stream.tracker cimport TcpTracker

cdef class Parts:
    cdef public int generation, load
    cdef public bint recorded, inspects
    cdef public frozenset let_go
    cdef public object settings, defrag, app, expectations, registry, bound, detector, choice, app_counters, file_drain, traffic, relief
    cdef public Decoder decoder
    cdef public Checksums checksums
    cdef public FlowTable table
    cdef public TcpTracker tracker
    cdef public Counters counters
    cdef public Firewall firewall
