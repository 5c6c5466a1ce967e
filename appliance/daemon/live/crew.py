"""The processes that do the work: workers, taps and the reporter, kept running and spoken to as one."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from appliance.daemon.live.channel import Message
from appliance.daemon.live.child import Child
from appliance.daemon.live.files import Appliance
from appliance.daemon.reporter.process import ReporterError, ReporterProcess
from appliance.sinks.documents import OutputDocument

WORKER = "appliance.daemon.live.workermain"
_ANSWER = 10.0  # seconds for a worker to answer
_LOOK = 1.0  # seconds between looks at the reporter


@dataclass(slots=True)
class Post:
    """One worker's place, whoever fills it: its queues or device, its way to the reporter, what it says."""

    number: int
    kind: str  # "queue" or "tap"
    queues: tuple[int, ...] = ()  # the one that fails closed, the one that fails open
    device: str = ""
    child: Child | None = None
    statistics: Message = field(default_factory=dict)


def posts_of(appliance: Appliance) -> list[Post]:
    """Give a post for each worker and each tap. Worker ``w`` of N reads queues ``w`` and ``N + w``."""
    document = appliance.document
    first, count = document.queues.first, appliance.workers
    posts = []
    if document.bridges:
        posts = [Post(w, "queue", (first + w, first + count + w)) for w in range(count)]
    taps = [Post(len(posts) + n, "tap", device=tap.device) for n, tap in enumerate(document.taps)]
    return posts + taps


class Crew:
    """Starts all posts and the reporter; orders go to everybody, answers are gathered."""

    def __init__(
        self, posts: list[Post], greet: Callable[[Post], Message], outputs: Sequence[OutputDocument]
    ) -> None:
        """Take the posts; ``greet`` makes the first order for a worker that has just started."""
        self.posts = posts
        self.reporter = ReporterProcess(len(posts) + 1)  # the last one is for the supervisor's own records
        self.reporter_statistics: Message = {}
        self.all_ready = asyncio.Event()
        # Gives descriptors that go along with the greeting; they are closed afterwards.
        self.more: Callable[[], tuple[int, ...]] = tuple
        self._greet = greet
        self._outputs = outputs
        self._calls = itertools.count(1)
        self._waiting: dict[int, list[Message]] = {}
        self._answered: dict[int, asyncio.Event] = {}
        self._reloads: dict[str, Message] = {}
        self._reloaded = asyncio.Event()
        for post in posts:
            post.child = Child(f"worker {post.number}", WORKER, self._equip(post), self._on_worker(post))

    def notes_end(self) -> socket.socket:
        """Give the way to the reporter for records of the supervisor's own."""
        return self.reporter.worker_end(len(self.posts)).dup()

    async def keep_reporter(self) -> None:
        """Run the reporter, and start it again when it has ended."""
        while True:
            try:
                if not self.reporter.running:
                    await asyncio.to_thread(self.reporter.start, self._outputs, socket.gethostname())
                else:
                    self.reporter_statistics = await asyncio.to_thread(self.reporter.statistics)
            except (OSError, ReporterError) as error:
                self.reporter_statistics = {"error": str(error)}
            await asyncio.sleep(_LOOK)

    def workers(self) -> list[Child]:
        """Give the workers."""
        return [post.child for post in self.posts if post.child is not None]

    def queue_posts(self) -> list[Post]:
        """Give the posts whose workers judge, as against those that watch."""
        return [post for post in self.posts if post.kind == "queue"]

    def _equip(self, post: Post) -> Callable[[Child], None]:
        def started(child: Child) -> None:
            fds = (self.reporter.worker_end(post.number).fileno(), *self.more())
            child.send(self._greet(post), fds)
            for fd in fds[1:]:
                os.close(fd)

        return started

    def _on_worker(self, post: Post) -> Callable[[Child, Message], None]:
        def receive(child: Child, message: Message) -> None:
            kind = message.get("is")
            if kind == "ready":
                child.ready = True
                if all(one.ready for one in self.workers()):
                    self.all_ready.set()
            elif kind == "stats":
                post.statistics = message
            elif kind == "reloaded":
                self._reloads[child.name] = message
                self._reloaded.set()
            elif kind == "failed":
                child.gave_up = str(message.get("why", ""))
            else:
                self._take_answer(message)

        return receive

    def _take_answer(self, message: Message) -> None:
        call = message.get("call")
        if isinstance(call, int) and call in self._waiting:
            self._waiting[call].append(message)
            self._answered[call].set()

    def order(self, message: Message, fds: tuple[int, ...] = ()) -> int:
        """Send an order to every worker; gives how many took it."""
        return sum(child.send(message, fds) for child in self.workers())

    async def ask(
        self,
        message: Message,
        fds: Sequence[int] = (),
        patience: float = _ANSWER,
        posts: Sequence[Post] | None = None,
    ) -> list[Message]:
        """Send a question to every worker, or to those of ``posts``; give the answers that come in time.

        Of ``fds`` each worker gets the one at its place; where there is but one, all get that.
        """
        call = next(self._calls)
        self._waiting[call], self._answered[call] = [], asyncio.Event()
        try:
            expected = 0
            asked = self.posts if posts is None else posts
            for place, child in enumerate(post.child for post in asked if post.child is not None):
                own = fds[place : place + 1] if len(fds) > 1 else fds
                expected += child.send({**message, "call": call}, tuple(own))
            async with asyncio.timeout(patience):
                while len(self._waiting[call]) < expected:
                    await self._answered[call].wait()
                    self._answered[call].clear()
        except TimeoutError:
            pass  # those who have not answered are missing from the list
        finally:
            del self._answered[call]
        return self._waiting.pop(call)

    async def reload(self, message: Message, patience: float) -> dict[str, list[str]]:
        """Have every worker exchange its documents; gives the errors of those that did not, by name.

        One that dies meanwhile is started with the new documents, so it need not answer.
        """
        self._reloads.clear()
        ordered = {child.name: child for child in self.workers() if child.send(message)}
        starts = {name: child.starts for name, child in ordered.items()}

        def waited_for() -> set[str]:
            alive = {n for n, child in ordered.items() if child.ready and child.starts == starts[n]}
            return alive - self._reloads.keys()

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while waited_for():
                    self._reloaded.clear()
                    with contextlib.suppress(TimeoutError):  # a worker that dies says nothing
                        await asyncio.wait_for(self._reloaded.wait(), 1.0)
        failed = {name: self._reloads[name]["errors"] for name in ordered if name in self._reloads}
        failed |= {name: ["has not answered in time"] for name in waited_for()}
        return {name: errors for name, errors in failed.items() if errors}

    def counters(self) -> list[dict[str, Any]]:
        """Give what every worker said last."""
        return [post.statistics for post in self.posts if post.statistics]

    async def stop(self) -> None:
        """Stop the workers, then the reporter, which writes what they still said."""
        async with asyncio.TaskGroup() as tasks:
            for child in self.workers():
                tasks.create_task(child.stop())
        self.reporter_statistics = await asyncio.to_thread(self.reporter.stop)
        self.reporter.close()
