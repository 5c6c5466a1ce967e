"""Other policies, inventory, rules or settings put in force between two packets, while what lives goes on.

The new parts are made first and by themselves (:func:`appliance.engine.build.build_pipeline`), so a mistake
in them changes nothing. :func:`succeed` then hands the old pipeline's state to the new one, in time that does
not grow with the number of flows unless timeouts or the way of making keys have changed. Each flow follows
with its next packet, in :func:`renew`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.engine.appcount import AppCounters
from appliance.engine.work import Work
from appliance.model.flow import F_ADOPTED, F_BYPASS, F_DROPPED, F_REJECTED, F_WATCHED, Flow
from appliance.model.identity import VmInterface
from appliance.model.mark import SETTLED
from appliance.model.packet import TOSERVER
from appliance.model.verdict import Verdict

if TYPE_CHECKING:
    from appliance.engine.parts import Parts
    from appliance.engine.pipeline import Pipeline


def succeed(new: Pipeline, old: Pipeline) -> None:
    """Give the state of ``old`` to ``new``; ``old`` must not be used afterwards."""
    new.generation = old.generation + 1
    new.counters = old.counters
    new.load, new.relief = old.load, old.relief
    new.app_counters = AppCounters(new.counters, new.app.specs.values())
    new.table.adopt(old.table)
    new.tracker.succeed(old.tracker)
    new.expectations.adopt(old.expectations)
    new.defrag.adopt(old.defrag)
    new.file_drain.adopt(old.file_drain)
    new.traffic.adopt(old.traffic, new.registry)
    if new.detector is not None and old.detector is not None:
        new.detector.adopt(old.detector)
    _raise_epoch(new, old)
    if new.firewall is not None and old.firewall is not None:
        new.firewall.adopt(old.firewall)


def _raise_epoch(new: Parts, old: Parts) -> None:
    """See to it that other policies have another epoch, or flows would not be judged by them."""
    if new.bound is None or old.bound is None or new.bound is old.bound:
        return
    if new.bound.epoch <= old.bound.epoch:
        new.bound.epoch = old.bound.epoch + 1


def renew(pipe: Pipeline, work: Work, flow: Flow) -> None:
    """Bring a flow from before a change under what is in force."""
    settled = flow.kernel & SETTLED == SETTLED
    if flow.kernel:
        pipe.table.settle(flow, 0)
    flow.generation = pipe.generation
    flow.flags &= ~(F_WATCHED | F_ADOPTED)
    _rebind(pipe, work, flow)
    if pipe.firewall is None and flow.judged is not None:
        _forget_policy(pipe, work, flow)
    if pipe.detector is None:
        flow.detect = None
    else:
        pipe.detector.renew(flow)
    if settled:
        pipe.resume(flow, work.now, work.events)
    else:
        pipe.app.renew(flow)


def _rebind(pipe: Pipeline, work: Work, flow: Flow) -> None:
    """Find the interfaces of a flow in the inventory of now; those that are gone are known no more.

    Where an end is another than before, what was said of the flow was said by others: it is judged anew.
    """
    before = (_identity(flow.client_if), _identity(flow.server_if))
    flow.client_if, flow.server_if = _own(pipe, flow.client_if), _own(pipe, flow.server_if)
    _complete(work, flow)
    if flow.judged is not None and before != (_identity(flow.client_if), _identity(flow.server_if)):
        flow.judged.epoch = -1


def _identity(interface: VmInterface | None) -> tuple[str, str] | None:
    return (interface.vm.uuid, interface.name) if interface is not None else None


def _complete(work: Work, flow: Flow) -> None:
    """Fill in ends that come to be known with this packet."""
    packet = work.packet
    if work.related is not None or packet.proto != flow.proto:
        return
    ends = (packet.src_if, packet.dst_if)
    client, server = ends if packet.direction == TOSERVER else ends[::-1]
    flow.client_if = flow.client_if or client
    flow.server_if = flow.server_if or server


def _own(pipe: Pipeline, interface: VmInterface | None) -> VmInterface | None:
    return pipe.registry.own(interface) if pipe.registry is not None else None


def _forget_policy(pipe: Pipeline, work: Work, flow: Flow) -> None:
    """There are no policies any more: what they said of the flow counts no longer."""
    judged, flow.judged = flow.judged, None
    if not judged.allowed:
        flow.flags &= ~(F_DROPPED | F_REJECTED)
    elif judged.verdict == Verdict.BYPASS and flow.flags & F_BYPASS:
        pipe.unbypass(flow, work)
