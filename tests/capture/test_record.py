"""Recorded frames, read back by our own reader and by another library."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from scapy.utils import PcapNgReader

from appliance.capture.frame import Frame
from appliance.capture.pcapng import NgReader
from appliance.capture.record import Recorder
from appliance.capture.stream import sniff

NOW = 1_700_000_000_123_456_789


def read(stream):
    stream.seek(0)
    reader = NgReader(sniff(stream))
    records = list(reader)
    assert not reader.problem
    return records


def test_what_was_written_is_read_back():
    stream = io.BytesIO()
    recorder = Recorder(stream)
    recorder.write(Frame(b"x" * 61, 1, NOW, 61, 1, "tap-a"), "drop: firewall")
    recorder.write(Frame(b"y" * 60, 1, NOW + 1, 900, 2, "tap-b"))
    recorder.write(Frame(b"z" * 62, 1, NOW + 2, 62, 3, "tap-a"), "äöü")
    recorder.write(Frame(b"w" * 20, 101, NOW + 3, 20, 4))
    assert (recorder.frames, recorder.bytes) == (4, len(stream.getvalue()))
    assert read(stream) == [
        (b"x" * 61, 1, NOW, 61, "tap-a"),
        (b"y" * 60, 1, NOW + 1, 900, "tap-b"),
        (b"z" * 62, 1, NOW + 2, 62, "tap-a"),
        (b"w" * 20, 101, NOW + 3, 20, None),
    ]


def test_another_library_reads_comments_and_nanoseconds():
    stream = io.BytesIO()
    recorder = Recorder(stream)
    recorder.write(Frame(b"x" * 61, 1, NOW, 61, 1, "tap-a"), "drop: firewall")
    recorder.write(Frame(b"y" * 60, 1, NOW, 60, 2, "tap-b"))
    stream.seek(0)
    first, second = PcapNgReader(stream)
    assert bytes(first) == b"x" * 61
    assert int(first.time * 10**9) == NOW
    assert first.sniffed_on == "tap-a"
    comments = getattr(first, "comments", None) or [first.comment]
    assert comments == [b"drop: firewall"]
    assert second.sniffed_on == "tap-b"


def test_long_frames_can_be_cut():
    stream = io.BytesIO()
    Recorder(stream, snaplen=33).write(Frame(b"x" * 61, 1, NOW, 61, 1, "tap-a"))
    assert read(stream) == [(b"x" * 33, 1, NOW, 61, "tap-a")]


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=80),
            st.sampled_from([1, 101]),
            st.integers(0, (1 << 63) - 1),
            st.one_of(st.none(), st.text(min_size=1, max_size=12)),
            st.text(max_size=40),
        ),
        max_size=8,
    )
)
def test_any_frames_are_read_back(frames):
    stream = io.BytesIO()
    recorder = Recorder(stream)
    for n, (data, linktype, now, name, comment) in enumerate(frames):
        recorder.write(Frame(data, linktype, now, len(data), n, name), comment)
    assert [record[:4] for record in read(stream)] == [
        (data, linktype, now, len(data)) for data, linktype, now, _, _ in frames
    ]
