"""What a flow costs in memory, and whether that stays flat over a million of them.

Run it from the top of a checkout, compiled modules first (they are what an appliance runs)::

    EASTWALL_COMPILE=yes python setup.py -q build_ext --inplace
    python -m bench.flow_memory            # or: python -m bench.flow_memory 200000

It prints bytes for each idle flow including its place in the table: UDP, and TCP with its session and
both peers (IPv4 and IPv6). Then it opens that many distinct flows in a table of 20,000 and prints
resident memory as it goes, with its slope in bytes for each flow after the table filled.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc

from appliance.config.settings import FlowSettings
from appliance.daemon.memory import resident
from appliance.flow import table as table_module
from appliance.flow.table import FlowTable
from appliance.model.flow import FlowState
from appliance.model.packet import PROTO_TCP, PROTO_UDP, Packet
from appliance.model.tcp import TcpSession

_SAMPLE = 50_000
_TABLE = 20_000
_GAP = 1_000_000  # nanoseconds between two packets


def make_packet(number: int, proto: int, width: int) -> Packet:
    """Make a packet of a flow that no other number gives."""
    packet = Packet(bytes(60), 1, number * _GAP, number)
    packet.ip_version = 4 if width == 4 else 6
    packet.proto = proto
    packet.src = (0x0A << (8 * width - 8) | number).to_bytes(width, "big")
    packet.dst = (0x0B << (8 * width - 8) | number % 251).to_bytes(width, "big")
    packet.sport, packet.dport = number & 0xFFFF, 443
    packet.eth_src = b"\x02\0\0\0\0" + bytes([number & 0xFF])
    packet.eth_dst = b"\x02\0\0\0\1\0"
    return packet


def bytes_per_flow(proto: int, width: int) -> float:
    """Fill a table and give what one flow takes of it."""
    gc.collect()
    table = FlowTable(FlowSettings(max_flows=_SAMPLE))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(_SAMPLE):
        packet = make_packet(number, proto, width)
        flow = table.create(packet, packet.now)
        if flow is None:
            raise RuntimeError("the table refused a flow")
        table.touch(flow, packet, packet.now)
        if proto == PROTO_TCP:
            flow.tcp = TcpSession()
            flow.state = FlowState.ESTABLISHED
            table.retime(flow)
    del packet, flow
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / _SAMPLE


def slope(count: int) -> float:
    """Open ``count`` distinct flows; give the growth in bytes for each after the first fifth."""
    table = FlowTable(FlowSettings(max_flows=_TABLE))
    start, base = count // 5, 0
    for number in range(count):
        packet = make_packet(number, PROTO_TCP if number & 1 else PROTO_UDP, 4)
        flow = table.create(packet, packet.now)
        if flow is not None and number & 1:
            flow.tcp = TcpSession()
        if number % 1000 == 0:
            table.expire(packet.now, 1000)
        if number == start:
            base = resident()
        if number % (count // 10) == 0:
            print(f"  {number:>9,} flows  {resident() / 1e6:8.1f} MB  {len(table):,} live")
    print(f"  {count:>9,} flows  {resident() / 1e6:8.1f} MB  {len(table):,} live")
    return (resident() - base) / (count - start)


def main() -> None:
    """Print all figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print("modules:", "plain Python" if str(table_module.__file__).endswith(".py") else "compiled")
    for name, proto in (("UDP", PROTO_UDP), ("TCP with session", PROTO_TCP)):
        for width in (4, 16):
            print(f"{name:>17} IPv{4 if width == 4 else 6}: {bytes_per_flow(proto, width):7.0f} bytes a flow")
    print(f"{count:,} distinct flows, table of {_TABLE:,}:")
    print(f"slope: {slope(count):.2f} bytes a flow")


if __name__ == "__main__":
    main()
