"""One connection to NATS, from joining to its end: buckets, subscriptions, watches and heartbeats."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.client import JetStreamContext
from nats.js.errors import (
    BucketNotFoundError,
    KeyDeletedError,
    KeyNotFoundError,
    KeyWrongLastSequenceError,
)
from nats.js.kv import KeyValue

from appliance.handoff.bundle import Manifest
from appliance.handoff.bundles import SETTINGS, Bundles
from appliance.handoff.codec import MAX_PIECE
from appliance.handoff.document import ClusterDocument
from appliance.handoff.lease import EXPECTED, Lease, revision_of
from appliance.handoff.messages import MAX_MESSAGE, Message, Wanted, read_message, read_wanted
from appliance.handoff.peers import MAX_BEAT, SILENT, Peers
from appliance.handoff.store import (
    HOST,
    MAX_RECORD,
    Found,
    Identity,
    LostError,
    Record,
    StoreError,
    identity_of,
    key_of,
    read_record,
)

_PATIENCE = 2.0  # seconds for one answer
_FETCH = 5.0
_MAX_PENDING = 4096  # messages that wait to be looked at
_MAX_PENDING_BYTES = 64 << 20
_CHECK = 10.0  # seconds between two looks at whether a watch is behind
_OWNERS = {"max_value_size": MAX_RECORD, "history": 1, "max_bytes": 256 << 20}
_HOSTS = {"max_value_size": MAX_BEAT, "history": 1, "max_bytes": 8 << 20, "ttl": SILENT}


class Receiver(Protocol):
    """Takes what comes over the connection."""

    def connected(self) -> None:
        """Everything may be asked for from now on."""

    def record(self, record: Record, revision: int) -> None:
        """An ownership record was seen."""

    def odd(self, identity: Identity, revision: int) -> None:
        """There is a record that makes no sense."""

    def complete(self, found: Mapping[Identity, int]) -> None:
        """These are all the records there are, with their revisions."""

    def wanted(self, manifest: Manifest) -> bool:
        """Tell whether a bundle of policies is to be fetched."""

    def offer(self, manifest: Manifest, packed: bytes) -> None:
        """A bundle was fetched."""

    def said(self, sender: str, message: Message) -> None:
        """Another host has said something."""

    def piece(self, sender: str, wanted: Wanted) -> bytes:
        """Another host wants a piece."""


class Session:
    """All there is to one connection."""

    def __init__(
        self,
        client: Client,
        document: ClusterDocument,
        receiver: Receiver,
        peers: Peers,
        counts: Counter[str],
    ) -> None:
        """Serve over ``client``, which is connected."""
        self._client, self._document, self._receiver = client, document, receiver
        self._peers, self._counts = peers, counts
        self._js = client.jetstream(timeout=_PATIENCE)
        self._to = f"{document.prefix}.to"
        self._owners: KeyValue | None = None
        self._behind = 0
        self._latest = 0

    async def serve(
        self,
        over: asyncio.Event,
        describe: Callable[[], dict[str, Any]],
        outbox: asyncio.Queue[tuple[str, Message]],
        began: Callable[[], None],
    ) -> None:
        """Join, and work until the connection is ``over``.

        Raises:
            StoreError: the buckets cannot be used, or another host has our name.
        """
        self._owners = await open_bucket(self._js, self._document, "owners", _OWNERS)
        hosts = await open_bucket(self._js, self._document, "hosts", _HOSTS)
        lease = Lease(self._document.name, hosts, self._peers, self._counts)
        await lease.take(describe())
        name = self._document.name
        limits: dict[str, Any] = {
            "pending_msgs_limit": _MAX_PENDING,
            "pending_bytes_limit": _MAX_PENDING_BYTES,
        }
        await self._client.subscribe(f"{self._to}.{name}.*.say", cb=self._on_say, **limits)
        await self._client.subscribe(f"{self._to}.{name}.*.piece", cb=self._on_piece, **limits)
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(self._watch_owners()),
                tasks.create_task(lease.watch()),
                tasks.create_task(lease.keep(describe)),
                tasks.create_task(self._send(outbox)),
            ]
            if self._document.follow:
                running.append(tasks.create_task(self._follow()))
            began()
            await over.wait()
            for task in running:
                task.cancel()

    async def _follow(self) -> None:
        bucket = await open_bucket(self._js, self._document, "policies", SETTINGS)
        await Bundles(bucket, self._counts).watch(self._receiver.wanted, self._receiver.offer)

    # Records.

    async def read(self, identity: Identity) -> Found:
        """Give an ownership record.

        Raises:
            StoreError: there is no answer, or nothing that can be read.
        """
        try:
            entry = await self._bucket_of_owners().get(key_of(identity))
        except KeyDeletedError as error:
            return Found(None, revision_of(error.entry))
        except KeyNotFoundError as error:
            return Found(None, revision_of(getattr(error, "entry", None)))
        except EXPECTED as error:
            _away(error)
        record = read_record(entry.value or b"")
        if record is None or record.identity != identity:
            self._counts["garbage"] += 1
            return Found(None, revision_of(entry), odd=True)
        return Found(record, revision_of(entry))

    async def write(self, record: Record, last: int) -> int:
        """Write an ownership record over revision ``last``; gives the new one.

        Raises:
            LostError: the record has another revision.
            StoreError: nobody knows.
        """
        try:
            return await self._bucket_of_owners().update(key_of(record.identity), record.pack(), last=last)
        except KeyWrongLastSequenceError:
            raise LostError from None
        except EXPECTED as error:
            _away(error)

    def _bucket_of_owners(self) -> KeyValue:
        if self._owners is None:
            raise StoreError("not connected")
        return self._owners

    async def _watch_owners(self) -> None:
        """Tell of every record; all over again where the watch has fallen behind."""
        bucket = self._bucket_of_owners()
        while True:
            watcher: Any = await bucket.watchall()
            found: dict[Identity, int] = {}
            complete = False
            while True:
                try:
                    async with asyncio.timeout(_CHECK):
                        entry = await watcher.__anext__()
                except TimeoutError:
                    if await self._is_behind(bucket):
                        break
                    continue
                if entry is None:
                    complete = True
                    self._receiver.complete(found)
                    continue
                self._latest = max(self._latest, revision_of(entry))
                identity = self._tell(entry)
                if identity is not None and not complete:
                    found[identity] = revision_of(entry)
            await watcher.stop()

    async def _is_behind(self, bucket: KeyValue) -> bool:
        """Tell whether the store has more than was seen, twice in a row."""
        last = (await bucket.status()).stream_info.state.last_seq
        self._behind = self._behind + 1 if last > self._latest else 0
        if self._behind < 2:
            return False
        self._behind, self._latest = 0, last
        return True

    def _tell(self, entry: KeyValue.Entry) -> Identity | None:
        """Tell of one record; gives whose it is, None for one that was deleted or is nobody's."""
        identity = identity_of(entry.key)
        if identity is None or entry.operation is not None:
            return None
        record = read_record(entry.value or b"")
        if record is not None and record.identity == identity:
            self._receiver.record(record, revision_of(entry))
        else:
            self._counts["garbage"] += 1
            self._receiver.odd(identity, revision_of(entry))
        return identity

    # Other hosts.

    async def _send(self, outbox: asyncio.Queue[tuple[str, Message]]) -> None:
        while True:
            host, message = await outbox.get()
            await self._client.publish(f"{self._to}.{host}.{self._document.name}.say", message.pack())

    async def _on_say(self, msg: Msg) -> None:
        sender = self._sender(msg, MAX_MESSAGE)
        message = read_message(msg.data) if sender else None
        if message is None:
            self._counts["garbage"] += 1
        else:
            self._receiver.said(sender, message)

    async def _on_piece(self, msg: Msg) -> None:
        sender = self._sender(msg, 256)
        wanted = read_wanted(msg.data) if sender else None
        if wanted is None or not msg.reply:
            self._counts["garbage"] += 1
        else:
            await msg.respond(self._receiver.piece(sender, wanted))

    def _sender(self, msg: Msg, most: int) -> str:
        """Give who has sent a message; "" where it is too long, or from nobody that can be."""
        sender = msg.subject.split(".")[-2]
        good = len(msg.data) <= most and HOST.fullmatch(sender) is not None and sender != self._document.name
        return sender if good else ""

    async def fetch(self, host: str, wanted: Wanted) -> bytes:
        """Get a piece from a host.

        Raises:
            StoreError: it does not come, or is too long.
        """
        subject = f"{self._to}.{host}.{self._document.name}.piece"
        try:
            answer = await self._client.request(subject, wanted.pack(), timeout=_FETCH)
        except EXPECTED as error:
            _away(error)
        if len(answer.data) > MAX_PIECE:
            raise StoreError("a piece that is too long")
        return answer.data


async def open_bucket(
    stream: JetStreamContext, document: ClusterDocument, name: str, settings: dict[str, Any]
) -> KeyValue:
    """Give a bucket of the cluster; the first host that needs it makes it."""
    full = f"{document.prefix}-{name}"
    try:
        return await stream.key_value(full)
    except BucketNotFoundError:
        return await stream.create_key_value(bucket=full, replicas=document.replicas, **settings)


def _away(error: BaseException) -> NoReturn:
    raise StoreError(f"{type(error).__name__}: {error}"[:200]) from error
