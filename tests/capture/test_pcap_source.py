"""Reading captures: every variant of both formats, damage anywhere, gzip, folders, filters."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.capture.base import CaptureError
from appliance.capture.bpf import FilterSet
from appliance.capture.pcap import PcapSource, find

FRAMES = [b"\x00" * 12 + b"\x08\x00" + bytes([n]) * (n + 1) for n in range(5)]
SECONDS = 1_700_000_000


def classic(frames, order="<", magic=0xA1B2C3D4, linktype=1, start=SECONDS):
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, linktype)]
    for n, data in enumerate(frames):
        out.append(struct.pack(order + "IIII", start + n, 123456, len(data), len(data) + n))
        if magic == 0xA1B2CD34:
            out.append(struct.pack(order + "IHBB", 1, 8, 0, 0))
        out.append(data)
    return b"".join(out)


def block(order, kind, body):
    body += b"\0" * (-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(order):
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def option(order, code, value):
    return struct.pack(order + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def interface(order, linktype=1, snaplen=0, opts=b""):
    return block(order, 1, struct.pack(order + "HHI", linktype, 0, snaplen) + opts + b"\0" * 4)


def enhanced(order, index, stamp, data, opts=b""):
    head = struct.pack(order + "IIIII", index, stamp >> 32, stamp & 0xFFFFFFFF, len(data), len(data))
    return block(order, 6, head + data + b"\0" * (-len(data) % 4) + opts)


def read(tmp_path, content, name="x.pcap", bpf=""):
    path = tmp_path / name
    path.write_bytes(content)
    source = PcapSource([str(path)], bpf)
    return list(source), source


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("magic", "fraction"), [(0xA1B2C3D4, 123456000), (0xA1B23C4D, 123456), (0xA1B2CD34, 123456000)]
)
@pytest.mark.parametrize("packed", [False, True])
def test_classic_variants(tmp_path, order, magic, fraction, packed):
    content = classic(FRAMES, order, magic, 101)
    frames, source = read(tmp_path, gzip.compress(content) if packed else content)
    assert [f.data for f in frames] == FRAMES
    assert [f.now for f in frames] == [(SECONDS + n) * 10**9 + fraction for n in range(5)]
    assert [f.wirelen - len(f.data) for f in frames] == [0, 1, 2, 3, 4]
    assert [f.number for f in frames] == [1, 2, 3, 4, 5]
    assert {f.linktype for f in frames} == {101}
    assert source.problems == []


def test_upper_bits_of_the_link_type_and_raw_aliases(tmp_path):
    assert read(tmp_path, classic(FRAMES, linktype=1 | 0x4400_0000 << 1))[0][0].linktype == 1
    assert read(tmp_path, classic(FRAMES, linktype=12))[0][0].linktype == 101


@pytest.mark.parametrize("order", "<>")
def test_pcapng_interfaces_have_their_own_clock(tmp_path, order):
    nano = (
        option(order, 9, b"\x09")
        + option(order, 2, b"eth1")
        + option(order, 14, struct.pack(order + "q", 10))
    )
    binary = option(order, 9, b"\x8a")  # 1/1024 s
    content = (
        section(order)
        + interface(order)
        + interface(order, 113, 0, nano)
        + interface(order, 101, 0, binary)
        + block(order, 4, b"name resolution")
        + enhanced(order, 0, SECONDS * 10**6 + 7, b"a" * 33, option(order, 1, b"comment"))
        + enhanced(order, 1, 5 * 10**9 + 3, b"b")
        + enhanced(order, 2, 1024 + 512, b"")
        + block(order, 0x0BAD, b"custom")
        + block(order, 3, struct.pack(order + "I", 9) + b"c" * 9)
        + block(order, 2, struct.pack(order + "HHIIII", 1, 0, 0, 99, 2, 60) + b"dd")
    )
    frames, source = read(tmp_path, content, "x.pcapng")
    got = [(f.data, f.linktype, f.now, f.wirelen, f.interface) for f in frames]
    assert got == [
        (b"a" * 33, 1, SECONDS * 10**9 + 7000, 33, None),
        (b"b", 113, 15 * 10**9 + 3, 1, "eth1"),
        (b"", 101, 1_500_000_000, 0, None),
        (b"c" * 9, 1, 1_500_000_000, 9, None),
        (b"dd", 113, 10 * 10**9 + 99, 60, "eth1"),
    ]
    assert source.problems == []


def test_sections_may_differ_in_byte_order(tmp_path):
    content = b"".join(section(o) + interface(o, 1) + enhanced(o, 0, 10**6, o.encode()) for o in "<><")
    frames, source = read(tmp_path, content)
    assert [f.data for f in frames] == [b"<", b">", b"<"]
    assert source.problems == []


def test_simple_packets_end_at_the_snapshot_length(tmp_path):
    content = section("<") + interface("<", 1, 4) + block("<", 3, struct.pack("<I", 100) + b"abcd")
    (frame,), _ = read(tmp_path, content)
    assert (frame.data, frame.wirelen) == (b"abcd", 100)


NG = (
    section("<")
    + interface("<", 1, 0, option("<", 9, b"\x09"))
    + enhanced("<", 0, 1, b"one")
    + block("<", 4, b"xx")
    + block("<", 3, struct.pack("<I", 3) + b"two")
)


@pytest.mark.parametrize(
    "content",
    [classic(FRAMES[:2]), NG, gzip.compress(classic(FRAMES[:2]), mtime=0), gzip.compress(NG, mtime=0)],
    ids=["pcap", "pcapng", "pcap.gz", "pcapng.gz"],
)
def test_truncated_anywhere_gives_what_is_whole_and_a_problem(tmp_path, content):
    whole = [f.data for f in read(tmp_path, content)[0]]
    for cut in range(len(content)):
        frames, source = read(tmp_path, content[:cut])
        got = [f.data for f in frames]
        assert got == whole[: len(got)]
        assert len(source.problems) <= 1
        assert got == whole or source.problems or len(got) < len(whole)


def test_a_record_boundary_is_a_clean_end_but_inside_is_a_problem(tmp_path):
    content = classic(FRAMES[:1])
    assert read(tmp_path, content)[1].problems == []
    (problem,) = read(tmp_path, content + b"\0" * 5)[1].problems
    assert problem.offset == len(content)
    assert "cut short" in problem.what


@pytest.mark.parametrize("cut", [1, 5, 12, 19])
def test_a_block_that_nobody_reads_is_cut_short_too(tmp_path, cut):
    whole = section("<") + interface("<") + enhanced("<", 0, 0, FRAMES[0]) + block("<", 5, b"statistics..")
    assert read(tmp_path, whole)[1].problems == []
    frames, source = read(tmp_path, whole[:-cut])
    assert len(frames) == 1
    (problem,) = source.problems
    assert "cut short" in problem.what


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (classic([]) + struct.pack("<IIII", 0, 0, 300_000, 300_000), "claims 300000"),
        (section("<") + struct.pack("<II", 6, 13), "claims 13"),
        (section("<") + struct.pack("<II", 6, 1 << 30), "claims"),
        (section("<") + enhanced("<", 0, 0, b"x"), "not described"),
        (section("<") + interface("<") + enhanced("<", 0, 0, b"abc")[:-4] + b"\xff" * 4, "differ"),
        (section("<") + block("<", 1, b""), "too short"),
        (b"hello world", "not a pcap"),
        (b"", "not a pcap"),
    ],
)
def test_damage_is_told_by_name(tmp_path, content, words):
    _, source = read(tmp_path, content)
    assert words in source.problems[0].what


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_flipped_bytes_never_raise(tmp_path_factory, data):
    content = bytearray(data.draw(st.sampled_from([classic(FRAMES), NG, gzip.compress(NG)])))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    frames, _ = read(tmp_path_factory.mktemp("f"), bytes(content))
    assert all(0 <= f.now < 1 << 63 and f.wirelen >= len(f.data) for f in frames)


def test_big_files_cross_the_blocks(tmp_path):
    frames = [bytes([n % 251]) * (1 + n * 37 % 1500) for n in range(2000)]
    got, _ = read(tmp_path, classic(frames))
    assert [f.data for f in got] == frames
    ng = section(">") + interface(">") + b"".join(enhanced(">", 0, n, d) for n, d in enumerate(frames))
    got, _ = read(tmp_path, gzip.compress(ng, 1))
    assert [f.data for f in got] == frames


def test_gzip_members_follow_each_other_and_zeros_pad(tmp_path):
    content = classic(FRAMES)
    packed = gzip.compress(content[:50]) + gzip.compress(content[50:]) + b"\0" * 7
    frames, source = read(tmp_path, packed)
    assert len(frames) == 5
    assert source.problems == []


def test_folders_are_searched_in_order_and_numbered_through(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2.PCAPNG").write_bytes(NG)
    (tmp_path / "a.cap.gz").write_bytes(gzip.compress(classic(FRAMES)))
    (tmp_path / "notes.txt").write_text("no capture")
    assert [Path(p).name for p in find([str(tmp_path)])] == ["a.cap.gz", "2.PCAPNG"]
    assert [f.number for f in PcapSource([str(tmp_path)])] == list(range(1, 8))


def test_missing_files_are_edge_errors(tmp_path):
    with pytest.raises(CaptureError, match="no such file"):
        PcapSource([str(tmp_path / "none")])
    with pytest.raises(CaptureError, match="no captures"):
        PcapSource([str(tmp_path)])


def test_standard_input():
    code = "from appliance.capture.pcap import PcapSource; print(len(list(PcapSource(['-']))))"
    run = subprocess.run([sys.executable, "-c", code], input=classic(FRAMES), capture_output=True, check=True)
    assert run.stdout == b"5\n"


def test_filters_are_libpcaps(tmp_path):
    arp = b"\xff" * 12 + b"\x08\x06" + b"\0" * 28
    frames, _ = read(tmp_path, classic([FRAMES[0], arp, FRAMES[1], arp]), bpf="arp")
    assert [(f.data, f.number) for f in frames] == [(arp, 1), (arp, 2)]


def test_a_filter_is_compiled_for_each_link_type():
    udp = bytes.fromhex("45000020000000004011000001020304050607080035003500080000") + b"\0" * 4
    chosen = FilterSet("udp port 53")
    assert chosen(udp, 101, len(udp))
    assert chosen(b"\0" * 12 + b"\x08\x00" + udp, 1, 14 + len(udp))
    assert not chosen(udp, 1, len(udp))


def test_a_bad_filter_has_libpcaps_message(tmp_path):
    with pytest.raises(CaptureError, match="tcp andor"):
        read(tmp_path, classic(FRAMES), bpf="tcp andor 5")


@pytest.mark.shared
def test_all_shared_captures_read_to_the_end(shared):
    total = damaged = 0
    for path in sorted((shared / "suricata-verify" / "tests").glob("*/*.pcap"))[:60]:
        source = PcapSource([str(path)])
        total += sum(1 for _ in source)
        damaged += len(source.problems)
    assert total > 1000
    assert damaged <= 1  # one of them is a product of fuzzing
