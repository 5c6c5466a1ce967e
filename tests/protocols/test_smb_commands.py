"""SMB: commands of each family, who logs on, calls in pipes, hostile messages."""

from __future__ import annotations

import struct

import pytest
import smb_tools as tools
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.model.app import COMPLETE
from appliance.protocols.smb import SPECS, _message, _session, auth, version_test
from appliance.protocols.smb.auth import Ntlm
from appliance.protocols.spec import PROBE_MAYBE, PROBE_NO, PROBE_YES

SRVSVC = "4b324fc8-1670-01d3-1278-5a47bf6ee188"
PIPE = 0x0011C017


def commands(made):
    return [tx.log()["command"] for tx in made.transactions]


def ntlm(user="mallory", domain="CORP", host="BOX", *, swap=False, cut=0):
    texts = [text.encode("utf-16-le") for text in (domain, user, host)]
    order = (0, 2, 1) if swap else (0, 1, 2)
    places, payload = {}, b""
    for index in order:
        places[index] = 72 + len(payload)
        payload += texts[index]
    fields = b"".join(struct.pack("<HHI", len(texts[i]), len(texts[i]), places[i]) for i in range(3))
    empty = struct.pack("<HHI", 0, 0, 72)
    head = b"NTLMSSP\0" + struct.pack("<I", 3) + empty * 2 + fields + empty
    head += struct.pack("<I", 0x02000001) + struct.pack("<BBHIB", 10, 0, 19041, 0, 15)[:8]
    blob = head[:72].ljust(72, b"\x0f") + payload
    return blob[: len(blob) - cut]


def session_setup(blob, mid=1):
    body = struct.pack("<HBBIIHHQ", 25, 0, 1, 0, 0, 88, len(blob), 0)
    return tools.framed(tools.smb2(1, body + blob, mid, session=0, tree=0))


def test_smb1_call_through_a_pipe():
    made = tools.play(tools.smb1_call(tools.smb1.SRVSVC, 31, b"overflow"))
    call = made.transactions[-1]
    assert call.value("dcerpc.opnum") == 31
    assert call.value("dcerpc.iface") == [(SRVSVC, 3, True)]
    assert call.buffer("dcerpc.stub_data", 0) == b"overflow"
    assert call.log()["dcerpc"]["response"] == "RESPONSE"
    assert call.log()["command"] == "SMB1_COMMAND_TRANS"
    assert made.transactions[0].log()["client_dialects"] == ["NT LM 0.12"]
    assert made.transactions[1].log()["request"] == {"native_os": "Unix", "native_lm": "smb"}
    assert made.transactions[2].buffer("smb.named_pipe", 0) == b"\\\\10.0.0.2\\IPC$"
    assert made.transactions[2].buffer("smb.share", 0) is None
    assert made.transactions[3].log()["filename"] == "\\browser"
    assert {tx.value("smb.version") for tx in made.transactions} == {"1"}
    assert all(tx.progress == [COMPLETE, COMPLETE] for tx in made.transactions)


def test_smb2_call_through_a_pipe():
    turns = tools.opened("svcctl", "\\\\s\\IPC$", 2)
    turns += [
        (0, tools.write(tools.smb1.rpc_bind(tools.smb1.SRVSVC), 0, 3)),
        (1, tools.written(3)),
        (0, tools.read(1024, 0, 4)),
        (1, tools.data(tools.smb1.rpc_bind_ack(), 4)),
        (0, tools.ioctl(PIPE, tools.smb1.rpc_request(15, b"stub"), 5)),
        (1, tools.ioctl(PIPE, tools.smb1.rpc_response(b"0000"), 5, reply=True)),
    ]
    made = tools.play(turns)
    bind, call = made.transactions[-2:]
    assert bind.log()["dcerpc"]["response"] == "BINDACK"
    assert bind.log()["command"] == "SMB2_COMMAND_WRITE"
    assert call.log()["dcerpc"]["opnum"] == 15
    assert call.value("dcerpc.iface")[0][0] == SRVSVC
    assert call.done


def test_tree_share_is_named():
    tx = tools.play([(0, tools.tree_connect("\\\\s\\C$")), (1, tools.tree_connected())]).transactions[0]
    assert tx.buffer("smb.share", 0) == b"\\\\s\\C$"
    assert tx.log()["share_type"] == "FILE"
    assert tx.log()["tree_id"] == 1


def test_negotiation_names_dialects_and_guids():
    body = struct.pack("<HHHHI", 36, 3, 1, 0, 0) + bytes(range(16)) + bytes(8)
    body += struct.pack("<HHH", 0x0202, 0x0210, 0x0999)
    reply = struct.pack("<HHHH", 65, 1, 0x0311, 0) + bytes(range(16)) + struct.pack("<IIII", 0, 1, 2, 1 << 30)
    made = tools.play(
        [
            (0, tools.framed(tools.smb2(0, body, 0))),
            (1, tools.framed(tools.smb2(0, reply + bytes(40), 0, reply=True))),
            (0, tools.framed(tools.smb2(0, body, 1))),
        ]
    )
    log = made.transactions[0].log()
    assert log["client_dialects"] == ["2.02", "2.10", "unknown"]
    assert log["client_guid"] == log["server_guid"] == "03020100-0504-0706-0908-0b0a0f0e0d0c"
    assert log["dialect"] == "3.11"
    assert made.transactions[0].events == ["negotiate_max_write_size_too_large"]
    assert made.transactions[1].events == ["duplicate_negotiate"]
    assert version_test(made.transactions[0].value("smb.version"), "3")


def test_ntlmssp_names_the_user():
    tx = tools.play([(0, session_setup(b"`\x40" + ntlm()))]).transactions[0]
    assert tx.buffer("smb.ntlmssp_user", 0) == b"mallory"
    assert tx.buffer("smb.ntlmssp_domain", 0) == b"CORP"
    assert tx.log()["ntlmssp"]["host"] == "BOX"
    assert tx.log()["ntlmssp"]["version"].startswith("10.0 build 19041")
    assert tx.events == []


@pytest.mark.parametrize(
    ("blob", "event"),
    [
        (ntlm(swap=True), "unusual_ntlmssp_order"),
        (ntlm(cut=3), "malformed_ntlmssp_request"),
        (b"NTLMSSP\0", "malformed_ntlmssp_request"),
    ],
)
def test_odd_ntlmssp_is_told(blob, event):
    assert tools.play([(0, session_setup(blob))]).transactions[0].events == [event]


def der(tag, *parts):
    body = b"".join(parts)
    size = bytes((len(body),)) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes((tag,)) + size + body


def test_kerberos_ticket_names_realm_and_service():
    names = der(0x30, der(0x1B, b"cifs"), der(0x1B, b"dc.corp"))
    ticket = der(
        0x61,
        der(
            0x30,
            der(0xA0, der(2, b"\5")),
            der(0xA1, der(0x1B, b"CORP")),
            der(0xA2, der(0x30, der(0xA0, der(2, b"\2")), der(0xA1, names))),
        ),
    )
    request = der(0x6E, der(0x30, der(0xA0, der(2, b"\5")), der(0xA3, ticket)))
    blob = b"\x60\x10\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00" + request
    log = tools.play([(0, session_setup(blob))]).transactions[0].log()
    assert log["kerberos"] == {"realm": "CORP", "snames": ["cifs", "dc.corp"]}


def test_rename_and_deletion():
    target = "new.txt".encode("utf-16-le")
    rename = struct.pack("<B7xQI", 1, 0, len(target)) + target
    turns = [*tools.opened("old.txt"), (0, tools.set_info(10, rename, 3)), (0, tools.set_info(13, b"\1", 4))]
    first, second = (tx.log() for tx in tools.play(turns).transactions[-2:])
    assert first["rename"] == {"from": "old.txt", "to": "new.txt"}
    assert first["set_info"] == {"class": "FILE_INFO", "info_level": "SMB2_FILE_RENAME_INFO"}
    assert second["access"] == "delete on close"
    assert second["filename"] == "old.txt"


def test_smb1_rename():
    body = b"\4" + tools.smb1.utf16("a") + b"\4\0" + tools.smb1.utf16("b")
    made = tools.play([(0, tools.smb1.message(0x07, b"\0\0", body))])
    assert made.transactions[0].log()["rename"] == {"from": "a", "to": "b"}


def test_open_shows_intent():
    made = tools.play(
        [(0, tools.create("", 1, disposition=5, options=0x1000)), (1, tools.created(1, size=9))]
    )
    log = made.transactions[0].log()
    assert (log["filename"], log["disposition"], log["access"], log["size"]) == (
        "<share_root>",
        "FILE_OVERWRITE_IF",
        "delete on close",
        9,
    )
    assert log["fuid"] == "0000004d-0000-0000-0009-000000000000"


def test_pending_response_is_not_the_answer():
    late = tools.framed(tools.smb2(5, bytes(9), 1, reply=True, status=0x103, flags=2))
    made = tools.play([(0, tools.create("x", 1)), (1, late)])
    assert made.transactions[0].progress[1] != COMPLETE
    made.data(1, tools.created(1))
    assert made.transactions[0].log()["status"] == "STATUS_SUCCESS"


def test_compound_uses_the_file_before():
    same = b"\xff" * 16
    raw = [
        tools.create("f", 3, wrap=bytes),
        tools.write(b"payload", 0, 4, fid=same, wrap=bytes, flags=4),
        tools.close(5, fid=same, wrap=bytes, flags=4),
    ]
    made = tools.play([*tools.opened("other"), (0, tools.compound(*raw))])
    assert commands(made)[-3:] == ["SMB2_COMMAND_CREATE", "SMB2_COMMAND_WRITE", "SMB2_COMMAND_CLOSE"]
    file = made.transactions[-2].files[0]
    assert (file.name, bytes(file.data), file.state) == (b"f", b"payload", "CLOSED")


def test_failed_read_is_told():
    made = tools.play([*tools.opened("x"), (0, tools.read(9, 0, 3)), (1, tools.failed(8, 3, 0xC0000022))])
    assert made.transactions[-1].log()["status"] == "STATUS_ACCESS_DENIED"


def test_ioctl_function_is_named():
    made = tools.play([(0, tools.ioctl(0x00140204, b"", 1)), (0, tools.ioctl(0x1234, b"", 2))])
    assert [tx.log()["function"] for tx in made.transactions] == [
        "FSCTL_VALIDATE_NEGOTIATE_INFO",
        "UNKNOWN_0x00001234",
    ]


def test_encrypted_messages_are_counted_only():
    raw = tools.framed(b"\xfdSMB" + bytes(200))
    made = tools.play([(0, raw), (1, raw), (0, raw)])
    assert made.encrypted == [2, 1]
    assert not made.transactions


def test_ghost_is_found_and_honest_compression_is_not():
    honest = b"\xfcSMB" + struct.pack("<IHHI", 4096, 1, 0, 8) + bytes(100)
    ghost = b"\xfcSMB" + struct.pack("<IHHI", 0xFFFFFFFF, 2, 0, 16) + bytes(30)
    made = tools.play([(0, tools.framed(honest))])
    assert made.smb2.compression == {"original_size": 4096, "algorithm": 1, "flags": 0, "offset": 8}
    assert not made.transactions
    made.data(0, tools.framed(ghost))
    assert made.transactions[0].events == ["compression_overflow"]


def test_messages_in_the_wrong_direction_are_told():
    made = tools.play([(1, tools.create("x", 1)), (0, tools.tree_connected())])
    assert made.events == ["request_to_client"]
    assert made.transactions[0].events == ["response_to_server"]


def test_malformed_dialects_and_chain():
    made = tools.play([(0, tools.smb1.message(0x72, b"", b"\x02NT LM 0.12"))])
    assert made.transactions[0].events == ["negotiate_malformed_dialects"]
    loop = tools.smb1.message(0x75, struct.pack("<BBHHH", 0x75, 0, 32, 0, 0), b"")
    assert "malformed_data" in tools.play([(0, loop), (0, loop)]).transactions[0].events


def test_keepalives_and_noise_are_passed():
    noise = b"\x85\0\0\0" + tools.create("a", 1) + b"\x33garbage-garbage" + tools.create("b", 2)
    made = tools.play([(0, noise)])
    assert [tx.log()["filename"] for tx in made.transactions] == ["a", "b"]
    assert made.transactions[0].events == ["malformed_data"]


def test_waiting_requests_are_bounded():
    made = tools.parser({"max-tx": 10})
    made.data(1, tools.tree_connected())
    for mid in range(50):
        made.data(0, tools.create("x", mid))
    waiting = [tx for tx in made.transactions if not tx.done]
    assert len(waiting) == 10
    assert "too_many_transactions" in made.transactions[0].events


def test_one_sided_connection_has_no_surplus():
    made = tools.parser({"max-tx": 3})
    for mid in range(9):
        made.data(0, tools.create("x", mid))
    assert not any(tx.events for tx in made.transactions)


@pytest.mark.parametrize(
    ("value", "argument", "holds"),
    [("1", "1", True), ("1", "2", False), ("2 3", "3", True), ("2", "!1", True), ("2 3", "!2", False)],
)
def test_version_condition(value, argument, holds):
    assert version_test(value, argument) is holds


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (b"\x81\0\0\x44 CK", PROBE_YES),
        (b"\x82\0\0\0", PROBE_YES),
        (b"\x81\0", PROBE_MAYBE),
        (b"\x81\0\1\x44", PROBE_NO),
        (b"GET ", PROBE_NO),
    ],
)
def test_session_probe(raw, answer):
    assert _session(raw) == answer


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (tools.create("x", 1), PROBE_YES),
        (tools.smb1.negotiate(), PROBE_YES),
        (tools.framed(b"\xfdSMB" + bytes(60)), PROBE_YES),
        (b"\0\0\0\x40\xfeS", PROBE_MAYBE),
        (b"\0\0", PROBE_MAYBE),
        (b"\0\0\0\x40\xfeSMT", PROBE_NO),
    ],
)
def test_message_probe(raw, answer):
    assert _message(raw) == answer


def test_events_are_declared():
    assert {"file_overlap", "malformed_data", "too_many_transactions"} <= SPECS[0].events


@given(st.binary(max_size=200))
def test_security_blobs_do_not_raise(raw):
    for blob in (raw, b"NTLMSSP\0\3\0\0\0" + raw, auth._KERBEROS_OIDS[0] + b"\1\0\x6e" + raw):
        found, ticket, _ = auth.read(blob)
        assert found is None or isinstance(found, Ntlm)
        assert ticket is None or isinstance(ticket.log(), dict)


TURNS = (
    tools.smb1_call(tools.smb1.SRVSVC, 31, b"x" * 40),
    [*tools.opened("a"), (0, session_setup(ntlm())), (0, tools.write(b"d" * 50, 0, 8)), (0, tools.close(9))],
)


@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize("step", [1, 3, 7, 50])
def test_any_cutting_gives_the_same(turns, step):
    assert tools.snapshot(tools.play(turns)) == tools.snapshot(tools.play(turns, step=step))


@settings(max_examples=60)
@given(st.data())
def test_mutations_do_not_raise(draw):
    made = tools.parser()
    for direction, raw in TURNS[draw.draw(st.integers(0, 1))]:
        broken = bytearray(raw)
        for _ in range(draw.draw(st.integers(0, 3))):
            broken[draw.draw(st.integers(4, len(raw) - 1))] = draw.draw(st.integers(0, 255))
        made.data(direction, bytes(broken))
        if draw.draw(st.integers(0, 9)) == 0:
            made.gap(direction, draw.draw(st.integers(1, 300)))
    made.end(0)
    made.end(1)
    for tx in made.transactions:
        tx.log()
        for name in ("dcerpc.stub_data", "file.data", "smb.share", "smb.ntlmssp_user"):
            tx.buffer(name, 0)


@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from([1, 2]), st.binary(max_size=150)), max_size=6))
def test_arbitrary_bodies_do_not_raise(records):
    made = tools.parser()
    for direction, version, raw in records:
        body = (b"\xffSMB" if version == 1 else b"\xfeSMB") + raw
        made.data(direction, tools.framed(body))
    assert all(isinstance(tx.log(), dict) for tx in made.transactions)
