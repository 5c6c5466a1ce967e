"""No packet, stream or transaction makes detection raise."""

from detect_world import NOW, ToyTx, detector, flow, packet, tcp
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.model.chunk import Chunk

RULES = (
    'alert udp any any -> any any (content:"a"; byte_jump:4,0,relative,multiplier 9; content:"b"; within:9;)',
    "alert udp any any -> any any (byte_extract:8,0,v; isdataat:v; byte_test:8,>,v,v;)",
    'alert udp any any -> any any (byte_extract:8,0,v; content:"a"; offset:v; depth:v;)',
    "alert udp any any -> any any (byte_math:bytes 8,offset 0,oper <<,rvalue 60,result r; byte_jump:r,0;)",
    'alert udp any any -> any any (content:"a"; pcre:"/(a|b)*c/R"; content:!"x"; within:3;)',
    "alert udp any any -> any any (base64_decode:relative; base64_data; isdataat:3;)",
    "alert udp any any -> any any (byte_test:23,>,1,0,string,hex;)",
    'alert tcp any any -> any any (content:"ab"; depth:9; content:"a"; distance:-1;)',
    "alert ip any any -> any any (icmpv6.mtu:<1280;)",
    "alert ip any any -> any any (rpc:100000,*,*;)",
    "alert ip any any -> any any (vlan.id:5,-3;)",
    'alert ip any any -> any any (tcp.hdr; content:"a"; ipv6.hdr; bsize:>4;)',
    'alert http any any -> any any (http.uri; url_decode; content:"a"; http.host; domain; content:"b";)',
    'alert http any any -> any any (file.data; content:"a"; endswith;)',
)
ENGINE = detector(*RULES)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([1, 2, 6, 17, 58, 132, 255, -1]), st.integers(0, 90))
def test_packets(data, proto, place):
    one = packet(data, proto=proto, l4_off=place, ip_hlen=place, icmp_type=2, tcp_hlen=place)
    ENGINE.inspect(one, flow(proto if proto > 0 else 6), NOW)
    ENGINE.inspect(one, None, NOW)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 60), st.binary(max_size=20), st.integers(0, 9))))
def test_streams(pieces):
    stream = flow()
    for direction, offset, data, gap in pieces:
        ENGINE.stream_data(stream, Chunk(direction, offset, data, 0 if data else gap))
        ENGINE.inspect(tcp(data, direction), stream, NOW)
    ENGINE.finish(stream, 0, NOW)
    ENGINE.flow_ended(stream)
    assert stream.detect is None


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=40), st.lists(st.binary(max_size=9)), st.integers(0, 100))
def test_transactions(uri, host, files, progress):
    tx = ToyTx(0, (progress, progress), http__uri=uri, http__host=host, file__data=files)
    stream = flow(6, "http", [tx])
    for direction in (0, 1, 0):
        ENGINE.inspect(tcp(b"", direction), stream, NOW)
