"""What fails begins anew, and says so."""

import asyncio

import pytest

from appliance.daemon.live.guarding import guarded


class Work:
    """Fails so often, then ends or waits for ever."""

    def __init__(self, fails, ends=True):
        self.fails, self.ends, self.runs = fails, ends, 0

    async def __call__(self):
        self.runs += 1
        if self.runs <= self.fails:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._break())
        if not self.ends:
            await asyncio.Event().wait()

    async def _break(self):
        raise ValueError("odd data")


def test_work_that_fails_begins_anew_and_each_failure_is_recorded(capsys):
    notes, work = [], Work(fails=3)
    asyncio.run(guarded("cluster", work, lambda name, **more: notes.append((name, more)), (0.001, 0.002)))
    assert work.runs == 4
    assert [name for name, _ in notes] == ["eastwall.failed"] * 3
    assert notes[0][1] == {"part": "cluster", "why": "ValueError: odd data", "again_in": 0.001}
    assert [more["again_in"] for _, more in notes] == [0.001, 0.002, 0.002]
    assert "odd data" in capsys.readouterr().err


def test_who_is_cancelled_does_not_begin_anew():
    async def cancelled():
        work = Work(fails=0, ends=False)
        task = asyncio.ensure_future(guarded("cluster", work, lambda *_, **__: None))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return work.runs

    assert asyncio.run(cancelled()) == 1
