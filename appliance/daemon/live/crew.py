"""The processes that do the work: workers, taps and the reporter, kept running and spoken to as one."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from appliance.daemon.live.channel import Message
from appliance.daemon.live.child import Child
from appliance.daemon.live.files import Appliance
from appliance.sinks.sender import record_channel

WORKER = "appliance.daemon.live.workermain"
REPORTER = "appliance.daemon.live.reportermain"
_ANSWER = 10.0  # seconds for a worker to answer


@dataclass(slots=True)
class Post:
    """One worker's place, whoever fills it: its queues or device, its way to the reporter, what it says."""

    number: int
    kind: str  # "queue" or "tap"
    queues: tuple[int, ...] = ()  # the one that fails closed, the one that fails open
    device: str = ""
    child: Child | None = None
    records: tuple[socket.socket, socket.socket] | None = None
    statistics: Message = field(default_factory=dict)
    inherited: tuple[int, ...] = ()  # queue sockets that a predecessor left, used once


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

    def __init__(self, posts: list[Post], greet: Callable[[Post], Message]) -> None:
        """Take the posts; ``greet`` makes the first order for a worker that has just started."""
        self.posts = posts
        self.reporter = Child("reporter", REPORTER, self._equip_reporter, self._on_reporter)
        self.reporter_statistics: Message = {}
        self.outputs: Message = {}
        self.notes: socket.socket | None = None  # the way of the supervisor's own records
        self.all_ready = asyncio.Event()
        self._greet = greet
        self._calls = itertools.count(1)
        self._waiting: dict[int, list[Message]] = {}
        self._answered: dict[int, asyncio.Event] = {}
        self._reloads: dict[str, Message] = {}
        self._reloaded = asyncio.Event()
        for post in posts:
            post.records = record_channel()
            post.child = Child(f"worker {post.number}", WORKER, self._equip(post), self._on_worker(post))

    def children(self) -> list[Child]:
        """Give everybody, the reporter last."""
        return [post.child for post in self.posts if post.child is not None] + [self.reporter]

    def workers(self) -> list[Child]:
        """Give the workers."""
        return [post.child for post in self.posts if post.child is not None]

    def _equip(self, post: Post) -> Callable[[Child], None]:
        def started(child: Child) -> None:
            fds = (post.records[1].fileno(), *post.inherited) if post.records else ()
            child.send(self._greet(post), fds)

        return started

    def _equip_reporter(self, child: Child) -> None:
        ends = [post.records[0].fileno() for post in self.posts if post.records is not None]
        if self.notes is not None:
            ends.append(self.notes.fileno())
        child.send({"do": "start", **self.outputs}, tuple(ends))

    def _on_worker(self, post: Post) -> Callable[[Child, Message], None]:
        def receive(child: Child, message: Message) -> None:
            kind = message.get("is")
            if kind == "ready":
                child.ready = True
                self._close_inherited(post)
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

    def _close_inherited(self, post: Post) -> None:
        for fd in post.inherited:
            socket.close(fd)
        post.inherited = ()

    def _on_reporter(self, child: Child, message: Message) -> None:
        child.ready = True
        if message.get("is") == "stats":
            self.reporter_statistics = message

    def _take_answer(self, message: Message) -> None:
        call = message.get("call")
        if isinstance(call, int) and call in self._waiting:
            self._waiting[call].append(message)
            self._answered[call].set()

    def order(self, message: Message, fds: tuple[int, ...] = ()) -> int:
        """Send an order to every worker; gives how many took it."""
        return sum(child.send(message, fds) for child in self.workers())

    async def ask(self, message: Message) -> list[Message]:
        """Send a question to every worker and give the answers that come in time."""
        call = next(self._calls)
        self._waiting[call], self._answered[call] = [], asyncio.Event()
        try:
            expected = self.order({**message, "call": call})
            async with asyncio.timeout(_ANSWER):
                while len(self._waiting[call]) < expected:
                    await self._answered[call].wait()
                    self._answered[call].clear()
        except TimeoutError:
            pass  # those who have not answered are missing from the list
        finally:
            del self._answered[call]
        return self._waiting.pop(call)

    async def reload(self, message: Message, patience: float) -> dict[str, list[str]]:
        """Have every worker exchange its documents; gives the errors of those that did not, by name."""
        self._reloads.clear()
        ordered = {child.name for child in self.workers() if child.send(message)}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while ordered - self._reloads.keys() - self._dead():
                    self._reloaded.clear()
                    with contextlib.suppress(TimeoutError):  # a worker that dies says nothing
                        await asyncio.wait_for(self._reloaded.wait(), 1.0)
        failed = {name: self._reloads[name]["errors"] for name in ordered if name in self._reloads}
        failed |= {name: ["has not answered in time"] for name in ordered - failed.keys() - self._dead()}
        return {name: errors for name, errors in failed.items() if errors}

    def _dead(self) -> set[str]:
        """Name workers that have died: they start with the new documents."""
        return {child.name for child in self.workers() if not child.ready}

    def counters(self) -> list[dict[str, Any]]:
        """Give what every worker said last."""
        return [post.statistics for post in self.posts if post.statistics]

    async def stop(self) -> None:
        """Stop the workers, then the reporter, which writes what they still said."""
        async with asyncio.TaskGroup() as tasks:
            for child in self.workers():
                tasks.create_task(child.stop())
        await self.reporter.stop()
        for post in self.posts:
            for end in post.records or ():
                end.close()
