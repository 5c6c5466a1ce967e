"""Lines for the log: written in order, and lost rather than waited for."""

import io
import threading

from appliance.daemon.live.lines import MOST, Lines


class Stuck(io.StringIO):
    """A stream that nobody reads until it is told so."""

    def __init__(self):
        super().__init__()
        self.read = threading.Event()

    def write(self, text):
        assert self.read.wait(30)
        return super().write(text)


class Gone(io.StringIO):
    """A stream whose reader is gone."""

    def write(self, text):
        raise BrokenPipeError(text)


def test_lines_come_in_order():
    stream = io.StringIO()
    lines = Lines(stream)
    for number in range(100):
        lines.say(f"line {number}")
    lines.close()
    assert stream.getvalue().splitlines() == [f"line {number}" for number in range(100)]


def test_who_does_not_read_holds_nobody_up_and_is_told_what_was_lost():
    stream = Stuck()
    lines = Lines(stream)
    for number in range(MOST + 200):
        lines.say(f"line {number}")
    lost = lines.lost
    assert 198 <= lost <= 200
    stream.read.set()
    lines.close()
    assert f"eastwall: {lost} lines were not written" in stream.getvalue()


def test_a_reader_that_is_gone_does_no_harm():
    lines = Lines(Gone())
    lines.say("one")
    lines.say("two")
    lines.close()
    lines.say("three")
