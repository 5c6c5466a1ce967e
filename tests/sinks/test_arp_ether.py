"""ARP records, and MAC addresses in the order of the ends that a record names."""

import pytest

from appliance.config.settings import EveOutput
from appliance.model.event import ArpEvent
from appliance.model.flow import Flow
from appliance.model.packet import TOCLIENT, TOSERVER, Packet
from appliance.sinks.flowlog import arp_record
from appliance.sinks.header import PACKET_ENDS, Context, header

CLIENT, SERVER = b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02"
NAMES = {CLIENT: "02:00:00:00:00:01", SERVER: "02:00:00:00:00:02"}
CONTEXT = Context(EveOutput(ethernet=True))


def flow():
    made = Flow(6, b"\x0a\0\0\1", b"\x0a\0\0\2", 1, 2)
    made.ether_client, made.ether_server = CLIENT, SERVER
    return made


def packet(direction):
    made = Packet(bytes(60), 1, 1, 1)
    made.direction = direction
    made.eth_src, made.eth_dst = (CLIENT, SERVER) if direction == TOSERVER else (SERVER, CLIENT)
    return made


@pytest.mark.parametrize("direction", [TOSERVER, TOCLIENT])
@pytest.mark.parametrize("ends", [TOSERVER, TOCLIENT, PACKET_ENDS])
def test_the_source_is_that_of_the_record(direction, ends):
    ether = header(CONTEXT, "http", 1, packet(direction), flow(), ends)["ether"]
    sent_by = direction if ends == PACKET_ENDS else ends
    assert ether["src_mac"] == NAMES[CLIENT if sent_by == TOSERVER else SERVER]
    assert ether["dest_mac"] == NAMES[SERVER if sent_by == TOSERVER else CLIENT]


@pytest.mark.parametrize("ends", [TOSERVER, TOCLIENT])
def test_without_a_packet_the_flow_knows(ends):
    source = NAMES[CLIENT if ends == TOSERVER else SERVER]
    assert header(CONTEXT, "http", 1, None, flow(), ends)["ether"]["src_mac"] == source
    assert header(CONTEXT, "netflow", 1, None, flow(), ends)["ether"]["src_macs"] == [source]


@pytest.mark.parametrize(("operation", "name"), [(1, "request"), (2, "reply"), (77, "unknown")])
def test_arp(operation, name):
    made = packet(TOSERVER)
    made.arp_op = operation
    made.arp_sha, made.arp_spa, made.arp_tha, made.arp_tpa = CLIENT, b"\x0a\0\0\1", bytes(6), b"\x0a\0\0\2"
    assert arp_record(CONTEXT, ArpEvent(1, made))["arp"] == {
        "hw_type": "ethernet",
        "proto_type": "ipv4",
        "opcode": name,
        "src_mac": NAMES[CLIENT],
        "src_ip": "10.0.0.1",
        "dest_mac": "00:00:00:00:00:00",
        "dest_ip": "10.0.0.2",
    }
