"""Open what a worker reads from."""

from __future__ import annotations

import time

from appliance.capture.base import LiveSource
from appliance.capture.nfqueue.config import Queue, QueueConfig
from appliance.capture.nfqueue.readers import open_queues
from appliance.capture.tap import TapConfig, TapSource
from appliance.daemon.live.channel import Message
from appliance.daemon.live.document import ApplianceDocument
from appliance.inventory.ports import PortMap


def open_source(start: Message, document: ApplianceDocument, ports: PortMap) -> LiveSource:
    """Open the queues or the device that the supervisor's first message names.

    Raises:
        CaptureError: it cannot be opened.
    """
    if start["kind"] == "tap":
        tap = next(one for one in document.taps if one.device == start["device"])
        return TapSource(TapConfig((tap.device,), tap.outgoing, document.queues.buffer), ports, time.time_ns)
    closed, fails_open = start["queues"]
    queues = (Queue(closed), Queue(fails_open, fail_open=True))
    config = QueueConfig(queues, document.queues.length, document.queues.buffer)
    return open_queues(config, ports, time.time_ns, document.queues.reader)
