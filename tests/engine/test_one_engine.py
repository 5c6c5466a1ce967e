"""Whatever source the frames come from, the engine says the same of them; and it says it again."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.capture.base import Frame
from appliance.capture.loop import pump
from appliance.capture.pcap import PcapSource
from appliance.config.load import LoadOptions
from appliance.config.settings import EveOutput
from appliance.daemon.assemble import Documents, Inputs, make_engine, read_documents
from appliance.model.verdict import Decision
from appliance.sinks.eve import EveWriter

ROOT = Path(__file__).resolve().parents[2]
PCAPS = ROOT / "pcaps"
KINDS = frozenset(("alert", "drop", "anomaly", "http", "dns", "tls", "ssh", "smb", "flow", "files", "stats"))


class FakeQueue:
    """A queue of the kernel: frames with ids of its own, given out in any order, and verdicts by id."""

    def __init__(self, frames: list[Frame], first_id: int) -> None:
        self.frames = frames
        self.first_id = first_id
        self.verdicts: dict[int, Decision] = {}

    def __iter__(self) -> Iterator[Frame]:
        for place, one in enumerate(self.frames):
            token = self.first_id + 7 * place
            yield Frame(one.data, one.linktype, one.now, one.wirelen, one.number, one.interface, token)

    def verdict(self, token: int, decision: Decision, mark: int = 0) -> None:
        assert token not in self.verdicts, "one verdict a packet"
        self.verdicts[token] = decision


@pytest.fixture(scope="module")
def documents() -> Documents:
    options = LoadOptions(mode="prevent", sets=("stream.inline=yes",))
    policies = (ROOT / "policies", PCAPS / "demo/bindings.yaml")
    found = read_documents(Inputs(options, policies, PCAPS / "demo/vms.yaml", (ROOT / "rules",)))
    assert not found.errors
    return found


def play(source, documents: Documents) -> tuple[list[Decision], list[dict]]:
    text, decisions = io.StringIO(), []
    writer = EveWriter(EveOutput(types=KINDS), text)

    def report(frame, decision, events):
        if frame is not None:
            decisions.append(decision)
        for event in events:
            writer.write(event)

    pump(source, make_engine(documents), report)
    return decisions, [json.loads(line) for line in text.getvalue().splitlines()]


@pytest.mark.parametrize("capture", sorted(PCAPS.glob("*.pcap")), ids=lambda path: path.stem)
def test_a_queue_and_a_capture_give_the_same_verdicts_and_records(capture, documents):
    replayed = play(PcapSource([str(capture)]), documents)
    queue = FakeQueue(list(PcapSource([str(capture)])), first_id=1000)
    queued = play(queue, documents)
    assert queued == replayed
    assert list(queue.verdicts.values()) == replayed[0]


FRAMES = [frame for path in sorted(PCAPS.glob("*.pcap")) for frame in PcapSource([str(path)])]


@given(st.data())
def test_mangled_and_mixed_up_frames_never_raise(documents, data):
    """Real frames cut, changed and in any order, with clocks that jump: every one gets a verdict."""
    chosen = data.draw(st.lists(st.integers(0, len(FRAMES) - 1), min_size=1, max_size=40))
    frames = []
    for number, index in enumerate(chosen, 1):
        raw = bytearray(FRAMES[index].data)
        for _ in range(data.draw(st.integers(0, 2))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        cut = data.draw(st.one_of(st.just(len(raw)), st.integers(0, len(raw))))
        now = FRAMES[index].now + data.draw(st.integers(-(10**12), 10**12))
        frames.append(Frame(bytes(raw[:cut]), 1, now, len(raw), number))
    decisions, _ = play(FakeQueue(frames, 1), documents)
    assert len(decisions) == len(frames)


@given(st.binary(max_size=200), st.sampled_from([0, 1, 9, 12, 101, 104, 113, 228, 229, 276, 999]))
def test_arbitrary_bytes_on_any_link_type_get_a_verdict(documents, raw, linktype):
    assert len(play(FakeQueue([Frame(raw, linktype, 1, len(raw), 1)], 1), documents)[0]) == 1


def captures(shared: Path) -> list[Path]:
    folders = (shared / "captures", shared / "suricata-verify")
    return sorted(path for folder in folders for path in folder.rglob("*.pcap*") if path.is_file())


def survive(paths, documents: Documents) -> int:
    engine = make_engine(documents)
    source = PcapSource([str(path) for path in paths])
    count = 0

    def report(frame, decision, events):
        nonlocal count
        count += frame is not None

    pump(source, engine, report)
    return count


@pytest.mark.shared
@pytest.mark.parametrize("part", range(8))
def test_every_shared_capture_runs_through(part, shared, documents):
    found = captures(shared)[part::8]
    assert len(found) > 50
    assert survive(found, documents) > 1000


@pytest.mark.shared
@given(data=st.data())
def test_captures_cut_anywhere_run_through(shared, documents, tmp_path_factory, data):
    small = [path for path in captures(shared) if path.stat().st_size < 20_000]
    path = data.draw(st.sampled_from(small))
    whole = path.read_bytes()
    cut = tmp_path_factory.mktemp("cut") / "cut.pcap"
    cut.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    survive([cut], documents)
