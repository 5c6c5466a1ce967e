"""The worker's way to the reporter: never blocks, bounded, loses nothing uncounted."""

from __future__ import annotations

import io

import pytest

from appliance.config.settings import EveOutput
from appliance.model.event import NoticeEvent
from appliance.sinks.eve import EveWriter
from appliance.sinks.sender import BATCH, MAX_LINE, MAX_MESSAGE, RecordSender, record_channel

LINE = "x" * 99 + "\n"


@pytest.fixture
def channel():
    reader, writer = record_channel()
    yield reader, writer
    reader.close()
    writer.close()


def read_all(reader):
    messages = []
    while True:
        try:
            messages.append(reader.recv(MAX_MESSAGE))
        except BlockingIOError:
            return messages


def test_lines_go_in_batches(channel):
    reader, writer = channel
    sender = RecordSender(writer)
    for _ in range(1000):
        sender.write(LINE)
    assert sender.pending < BATCH
    assert sender.flush()
    messages = read_all(reader)
    assert b"".join(messages) == LINE.encode() * 1000
    assert all(message.endswith(b"\n") and len(message) <= BATCH + 100 for message in messages)
    assert sender.statistics() == {"records": 1000, "sent": 1000, "lost": 0, "pending": 0}


def test_what_is_beyond_the_limit_is_lost_and_counted(channel):
    reader, writer = channel
    sender = RecordSender(writer, limit=1 << 20)
    for _ in range(200_000):
        sender.write(LINE)
    assert not sender.flush()
    assert sender.pending <= 1 << 20
    received = sum(message.count(b"\n") for message in read_all(reader))
    assert received == sender.sent
    while not sender.flush():
        received += sum(message.count(b"\n") for message in read_all(reader))
    received += sum(message.count(b"\n") for message in read_all(reader))
    assert sender.lost > 0
    assert received + sender.lost == sender.records == 200_000


def test_a_reporter_that_is_gone_costs_records_only(channel):
    reader, writer = channel
    sender = RecordSender(writer)
    reader.close()
    sender.write(LINE)
    assert sender.flush()
    assert (sender.sent, sender.lost) == (0, 1)


def test_too_long_a_record(channel):
    reader, writer = channel
    sender = RecordSender(writer)
    sender.write("x" * MAX_LINE + "\n")
    sender.write("y" * (MAX_LINE - 1) + "\n")
    assert sender.flush()
    assert sender.statistics()["lost"] == 1
    assert read_all(reader) == [b"y" * (MAX_LINE - 1) + b"\n"]


def test_closing_counts_what_did_not_go(channel):
    _, writer = channel
    sender = RecordSender(writer, limit=1 << 30)
    while sender.flush():
        for _ in range(BATCH // len(LINE) + 1):
            sender.write(LINE)
    sender.close(within=0.01)
    assert sender.lost > 0
    assert sender.lost + sender.sent == sender.records
    assert writer.fileno() == -1


def test_an_eve_writer_writes_to_it_what_it_writes_to_a_file(channel):
    reader, writer = channel
    sender, file = RecordSender(writer), io.StringIO()
    for stream in (sender, file):
        EveWriter(EveOutput(), stream).write(NoticeEvent(1, "scan.fin", None, {"interface": "wéb/eth0"}))
    sender.flush()
    assert read_all(reader) == [file.getvalue().encode()]
