"""Write both sides of conversations between VMs into one capture."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw
from scapy.utils import wrpcap

START = 1_790_000_000.0  # seconds since the epoch: every capture begins at the same moment
MSS = 1460


@dataclass(frozen=True)
class Host:
    """An end of a conversation as it appears on the wire."""

    name: str
    mac: str
    address: str


WEB = Host("web-1", "52:54:00:20:00:10", "10.20.0.10")
FILES = Host("files-1", "52:54:00:20:00:11", "10.20.0.11")
DESKTOP = Host("desktop-7", "52:54:00:20:00:17", "10.20.0.17")
DATABASE = Host("db-1", "52:54:00:20:00:20", "10.20.0.20")
DNS = Host("dc-1", "52:54:00:20:00:05", "10.20.0.5")


@dataclass
class Capture:
    """Packets in the order sent, with a clock that each packet moves on."""

    packets: list[Packet] = field(default_factory=list)
    clock: float = START

    def send(self, src: Host, dst: Host, layers: Packet, gap: float = 0.0005) -> None:
        """Put one packet on the wire."""
        frame = Ether(src=src.mac, dst=dst.mac) / layers
        frame.time = self.clock
        self.clock += gap
        self.packets.append(frame)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock += seconds

    def udp(self, src: Host, dst: Host, sport: int, dport: int, payload: bytes) -> None:
        """Send one datagram."""
        self.send(
            src, dst, IP(src=src.address, dst=dst.address) / UDP(sport=sport, dport=dport) / Raw(payload)
        )

    def ping(self, src: Host, dst: Host) -> None:
        """Send an echo request and its reply."""
        ask = IP(src=src.address, dst=dst.address) / ICMP(type=8, id=77, seq=1) / Raw(b"0123456789abcdef")
        self.send(src, dst, ask)
        answer = IP(src=dst.address, dst=src.address) / ICMP(type=0, id=77, seq=1) / Raw(b"0123456789abcdef")
        self.send(dst, src, answer)

    def arp(self, src: Host, dst: Host) -> None:
        """Resolve ``dst``'s address."""
        ask = ARP(op=1, hwsrc=src.mac, psrc=src.address, pdst=dst.address)
        self.send(src, Host("all", "ff:ff:ff:ff:ff:ff", ""), ask)
        self.send(dst, src, ARP(op=2, hwsrc=dst.mac, psrc=dst.address, hwdst=src.mac, pdst=src.address))

    def write(self, path: Path) -> None:
        """Save as a classic capture file."""
        wrpcap(str(path), self.packets)


class Tcp:
    """One TCP connection: ``client`` opens it to ``server``:``port``."""

    def __init__(self, capture: Capture, client: Host, server: Host, sport: int, port: int) -> None:
        self.capture = capture
        self.ends = (client, server)
        self.ports = (sport, port)
        self.seq = [1000 + sport, 900_000 + sport]

    def open(self) -> Tcp:
        """Exchange the three packets that open a connection."""
        self._packet(0, "S", ack=False)
        self.seq[0] += 1
        self._packet(1, "SA")
        self.seq[1] += 1
        self._packet(0, "A")
        return self

    def say(self, side: int, data: bytes, mss: int = MSS) -> None:
        """Send ``data`` from ``side`` (0 client, 1 server) in segments, each acknowledged."""
        for start in range(0, len(data), mss):
            piece = data[start : start + mss]
            self._packet(side, "PA", piece)
            self.seq[side] += len(piece)
            self._packet(1 - side, "A")

    def close(self, side: int = 0) -> None:
        """Close in order, ``side`` first."""
        for end in (side, 1 - side):
            self._packet(end, "FA")
            self.seq[end] += 1
            self._packet(1 - end, "A")

    def refuse(self) -> None:
        """Send a SYN that is answered with a reset."""
        self._packet(0, "S", ack=False)
        self.seq[0] += 1
        self._packet(1, "RA")

    def _packet(self, side: int, flags: str, data: bytes = b"", *, ack: bool = True) -> None:
        src, dst = self.ends[side], self.ends[1 - side]
        header = TCP(
            sport=self.ports[side],
            dport=self.ports[1 - side],
            flags=flags,
            seq=self.seq[side] & 0xFFFFFFFF,
            ack=self.seq[1 - side] & 0xFFFFFFFF if ack else 0,
            window=64240,
            options=[("MSS", MSS)] if "S" in flags else [],
        )
        if flags == "RA":
            header.seq = 0
        layers = IP(src=src.address, dst=dst.address) / header
        self.capture.send(src, dst, layers / Raw(data) if data else layers)


def http_get(capture: Capture, client: Host, server: Host, sport: int, path: str, headers: str = "") -> None:
    """One request and a small answer."""
    conversation = Tcp(capture, client, server, sport, 80).open()
    lines = (f"GET {path} HTTP/1.1", f"Host: {server.name}.example", "User-Agent: inventory-agent/2.1")
    request = "\r\n".join(lines) + f"\r\n{headers}\r\n"
    body = b"<html><body>it works</body></html>\n"
    conversation.say(0, request.encode("latin-1"))
    conversation.say(
        1, b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    conversation.close()
