from appliance.detect.headers cimport Header

cdef class FastPattern:
    cdef public str place
    cdef public int key
    cdef public bytes pattern
    cdef public bint nocase
    cdef public object regex

cdef class Signature:
    cdef public int index, rank, variables
    cdef public long long ends
    cdef public object rule, kind, protocols, fast, frame
    cdef public str action, scope
    cdef public Header header
    cdef public list matchers, packet_tests, chain, tx_tests, events, effects, thresholds, tags, settings
    cdef public bint on_packet, on_stream, spans
    cdef public tuple directions
    cdef public set needs
