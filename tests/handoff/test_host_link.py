"""The link against servers that hang, lie, or answer with what makes no sense."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from pathlib import Path

import pytest

from appliance.handoff.credentials import Access
from appliance.handoff.document import ClusterDocument
from appliance.handoff.fsm import Event
from appliance.handoff.link import Link
from appliance.handoff.messages import Message, Wanted
from appliance.handoff.store import Record, StoreError
from tests.handoff.memory import ONE, until

INFO = b'INFO {"server_id":"x","version":"2.9.10","max_payload":1048576,"headers":true}\r\n'
FACTS = {"version": "1", "instance": "i", "epoch": 1, "owned": 0, "present": 0, "bundle": 0, "started": 1}


class Liar:
    """Speaks as ``greeting`` says, and answers every request with ``answer``."""

    def __init__(self, greeting, answer=None):
        self.greeting, self.answer = greeting, answer
        self.connections = self.requests = 0
        self.writers = []

    async def serve(self, reader, writer):
        self.connections += 1
        self.writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            writer.write(self.greeting)
            while line := await reader.readline():
                await self._answer(line, reader, writer)
        writer.close()

    async def _answer(self, line, reader, writer):
        if line.startswith(b"PING"):
            writer.write(b"PONG\r\n")
        found = re.match(rb"H?PUB (\S+) (\S+) (?:\d+ )?(\d+)\r\n", line)
        if found:
            await reader.readexactly(int(found[3]) + 2)
            self.requests += 1
            if self.answer is not None:
                writer.write(b"MSG %s 1 %d\r\n%s\r\n" % (found[2], len(self.answer), self.answer))


class Nobody:
    """A receiver that must hear nothing."""

    def __getattr__(self, name):
        def unexpected(*_):
            raise AssertionError(name)

        return unexpected


def against(liar, scene, **more):
    notes = []

    async def run():
        server = await asyncio.start_server(liar.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        document = ClusterDocument.model_validate(
            {"name": "one", "servers": [f"nats://127.0.0.1:{port}"], **more}
        )
        link = Link(Access(document, Path), Nobody(), lambda name, **_: notes.append(name), lambda: FACTS)
        task = asyncio.ensure_future(link.run())
        try:
            await scene(link)
            assert not task.done(), "whatever a server does, the link goes on"
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for writer in liar.writers:
                writer.close()
            server.close()
            await asyncio.sleep(0.05)

    asyncio.run(run())
    return notes


async def nothing_works(link):
    begun = time.monotonic()
    for asked in (link.read(ONE), link.write(Record(ONE, "one"), 0), link.fetch("two", Wanted("i", 0))):
        with pytest.raises(StoreError):
            await asked
    link.tell("two", Message(Event.ASK_COPY, ONE))
    assert time.monotonic() - begun < 10
    assert not link.connected
    assert link.alive("two"), "who hears of nobody says of nobody that he is gone"


GREETINGS = [
    b"",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"INFO []\r\n",
    b"INFO {}\r\n",
    b"INFO {\r\n",
    b"\xff" * 100_000,
]


@pytest.mark.parametrize("greeting", GREETINGS, ids=range(len(GREETINGS)))
def test_servers_that_are_none(greeting):
    liar = Liar(greeting)

    async def scene(link):
        await until(lambda: liar.connections)
        await nothing_works(link)

    against(liar, scene)


ANSWERS = [b"", b"{}", b"[]", b"null", b"\xff\xfe", b'{"error": 7}', b'{"error": {"code": "x"}}', b"[" * 5000]


@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
def test_servers_whose_answers_make_no_sense(answer):
    liar = Liar(INFO, answer)

    async def scene(link):
        await until(lambda: liar.connections >= 2 or link.told.problem, 20)
        await nothing_works(link)

    notes = against(liar, scene)
    assert "cluster.connected" not in notes


def test_a_server_that_never_answers_is_left():
    liar = Liar(INFO)

    async def scene(link):
        await until(lambda: link.told.problem, 20)
        await nothing_works(link)
        assert liar.requests

    notes = against(liar, scene)
    assert notes == ["cluster.unreachable"], "told once, not at each attempt"


def test_a_server_that_does_not_want_tls_gets_no_password(tmp_path):
    (tmp_path / "secret").write_text("hunter2")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "ca.pem").write_text(_certificate())
    seen = []

    class Greedy(Liar):
        async def _answer(self, line, reader, writer):
            seen.append(line)
            await super()._answer(line, reader, writer)

    async def scene(link):
        await until(lambda: "TLS" in link.told.problem, 20)

    against(
        Greedy(INFO), scene, tls={"ca": str(tmp_path / "ca.pem")},
        credentials={"user": "u", "password": str(tmp_path / "secret")},
    )  # fmt: skip
    assert not any(b"hunter2" in line or b"CONNECT" in line for line in seen)


def _certificate():
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")]),
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()
