"""The two readers by name."""

from __future__ import annotations

from collections.abc import Callable

from appliance.capture.base import CaptureError, LiveSource
from appliance.capture.nfqueue.config import QueueConfig
from appliance.capture.nfqueue.library import LibraryReader
from appliance.capture.nfqueue.reader import NetlinkReader
from appliance.inventory.ports import PortMap

READERS: dict[str, Callable[[QueueConfig, PortMap, Callable[[], int]], LiveSource]] = {
    "netlink": NetlinkReader,
    "library": LibraryReader,
}


def open_queues(
    config: QueueConfig, ports: PortMap, clock: Callable[[], int], reader: str = "netlink"
) -> LiveSource:
    """Open queues with the reader of this name.

    Raises:
        CaptureError: there is no such reader, or the queues cannot be opened.
    """
    if reader not in READERS:
        raise CaptureError(f"reader {reader!r}: choose {' or '.join(READERS)}")
    return READERS[reader](config, ports, clock)
