"""From the tree of a rule to a signature: options are sorted to the buffers they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appliance.detect import bits, files, packetkeys
from appliance.detect.buffers import FILE_BUFFERS, PACKET_BUFFERS
from appliance.detect.chains import NODES, ChainBuilder
from appliance.detect.compare import comparison_of
from appliance.detect.errors import RefusedError
from appliance.detect.fastpattern import choose
from appliance.detect.frames import FrameTest
from appliance.detect.headers import TRANSPORTS
from appliance.detect.matchers import KindMatcher
from appliance.detect.packettests import AppEventMatcher, AppProtocolMatcher, HookMatcher, PacketBufferTest
from appliance.detect.reputation import CountryMatcher, ReputationMatcher
from appliance.detect.sigclass import classify
from appliance.detect.signature import Signature
from appliance.detect.statetests import AT_OR_PAST, StateTest
from appliance.detect.transforms import TransformError
from appliance.detect.txtests import BufferTest, EventTest, FileCondition, FileTest, PayloadTest, ValueTest
from appliance.model.app import COMPLETE, BufferSpec
from appliance.rulelang import tree

if TYPE_CHECKING:
    from appliance.detect.world import World
    from appliance.rulelang.tree import Rule

# Buffers that somebody has to compute, to what they are called where that is switched on.
_NEEDS = {"file.magic": "magic", "email.body_md5": "body-md5"}
_FILE_TEXTS = frozenset(("file.name", "file.magic"))
ACTIONS = frozenset(("alert", "drop", "reject", "rejectsrc", "rejectdst", "rejectboth", "pass", "config"))
# Protocols of rule headers that a matcher tells apart.
_KINDS = frozenset(("vxlan", "geneve", "arp", "ether"))
# Options that mean nothing to evaluation.
DESCRIPTIVE = frozenset(
    ("rawbytes", "noalert", "alert", "target", "bypass", "prefilter", "nocase", "fast_pattern", "requires")
)


# Name of the segments that are about a frame.
FRAME = "frame"


class Segment:
    """The options on one buffer, in the order written."""

    __slots__ = ("absent", "direction", "name", "nodes", "position", "transforms")

    def __init__(self, name: str, position: Any) -> None:
        """Start without conditions."""
        self.name = name
        self.direction = ""
        self.position = position
        self.nodes: list[Any] = []
        self.transforms: tuple[tuple[str, str], ...] = ()
        self.absent: tree.Absent | None = None


class RuleBuilder:
    """Builds one signature."""

    def __init__(self, index: int, rule: Rule, world: World) -> None:
        """Prepare for ``rule``, number ``index`` of its set."""
        self.world = world
        self.rule = rule
        self.flow_option = next((o for o in rule.options if isinstance(o, tree.FlowOption)), None)
        header = world.interner.header(rule, self.flow_option)
        self.signature = Signature(index, rule, header)
        self.chains = ChainBuilder(world.settings, world.datasets)
        self.segments: list[Segment] = []
        self.conditions: list[FileCondition] = []
        self.file_chains: list[FileCondition] = []  # contents on properties of files
        self.store = False
        self.way = ""  # of the files that are meant

    def build(self) -> Signature:
        """Build it all.

        Raises:
            RefusedError: something in the rule is not supported, or can never match.
        """
        self._head()
        self.chains.declare(self.rule.options)
        current: Segment | None = None
        for node in self.rule.options:
            current = self._option(node, current)
        self._finish_segments()
        self._finish_files()
        if self.signature.frame is not None and self.signature.tx_tests:
            raise RefusedError("frame", "a rule looks at frames or at transactions, not at both")
        self.signature.variables = len(self.chains.names)
        self._directions()
        classify(self.signature, self.flow_option)
        choose(self.signature, self.segments)
        return self.signature

    def _head(self) -> None:
        """Check action, protocol and hook."""
        rule = self.rule
        if rule.action not in ACTIONS:
            raise RefusedError(rule.action, f"action {rule.action} is not supported")
        if rule.protocol not in TRANSPORTS:
            self.signature.protocols = frozenset(self.world.resolve(rule.protocol))
            if not self.signature.protocols:
                raise RefusedError(rule.protocol, f"protocol {rule.protocol} is not known")
            if rule.hook:
                self._state_test("hook", rule.hook, AT_OR_PAST)
        elif rule.hook:
            self.signature.matchers.append(HookMatcher(rule.hook))
        if rule.protocol in _KINDS:
            self.signature.matchers.append(KindMatcher(rule.protocol))
        self.signature.spans = rule.direction == "=>"

    def _option(self, node: Any, current: Segment | None) -> Segment | None:
        """Sort one option; gives the buffer that is selected after it."""
        if isinstance(node, tree.Buffer):
            return self._select(node)
        if isinstance(node, tree.Frame):
            return self._frame(node)
        if isinstance(node, tree.Transform | tree.Absent):
            return self._on_buffer(node, current)
        if isinstance(node, NODES) or getattr(node, "keyword", "") in {"bsize", "asn1"}:
            segment = current or self._segment("", node.position)
            segment.nodes.append(node)
            return segment
        if isinstance(node, tree.IntMatch) and node.keyword == "urilen":
            name = "http.uri.raw" if node.extra == "raw" else "http.uri"
            self._segment(name, node.position).nodes.append(node)
            return current
        self._condition(node)
        return current

    def _segment(self, name: str, position: Any) -> Segment:
        """Give the segment of a buffer without transforms, a new one where each stands for itself."""
        multi = any(spec.multi for spec in self.world.specs(name)) or name in FILE_BUFFERS
        for segment in self.segments:
            if segment.name == name and not segment.transforms and not (multi and segment.nodes):
                return segment
        made = Segment(name, position)
        self.segments.append(made)
        return made

    def _select(self, node: tree.Buffer) -> Segment:
        """Turn to a buffer."""
        name = "" if node.name == "pkt_data" else node.name
        segment = self._segment(name, node.position)
        if node.direction and segment.direction not in {"", node.direction}:
            segment = Segment(name, node.position)
            self.segments.append(segment)
        segment.direction = node.direction
        return segment

    def _frame(self, node: tree.Frame) -> Segment:
        """Turn to a frame; several pieces of a rule on frames have to be about the same."""
        name = node.protocol or self.rule.protocol
        known = {p for p in self.world.resolve(name) if node.name in self.world.frames(p)}
        if self.signature.protocols is not None:
            known &= self.signature.protocols
        if not known:
            raise RefusedError("frame", f"there are no frames {node.name} of {name}", node.position)
        test = self.signature.frame or FrameTest(frozenset(known), node.name)
        if test.name != node.name:
            raise RefusedError("frame", "a rule looks at frames of one kind", node.position)
        self.signature.frame = test
        self.signature.needs.add(f"frame:{node.name}")
        made = Segment(FRAME, node.position)
        self.segments.append(made)
        return made

    def _on_buffer(self, node: Any, current: Segment | None) -> Segment:
        """Add a transform or ``absent`` to the selected buffer; gives what is selected then."""
        keyword = node.name if isinstance(node, tree.Transform) else "absent"
        if current is None or not current.name:
            raise RefusedError(keyword, "no buffer is selected", node.position)
        if isinstance(node, tree.Absent):
            current.absent = node
            return current
        try:
            self.world.change(node.name, node.argument)
        except TransformError as error:
            raise RefusedError(node.name, str(error), node.position) from error
        if current.nodes:
            # The buffer was selected before, untransformed: this is another view of it.
            direction, current = current.direction, Segment(current.name, node.position)
            current.direction = direction
            self.segments.append(current)
        current.transforms = (*current.transforms, (node.name, node.argument))
        return current

    def _condition(self, node: Any) -> None:
        """Sort an option that is on no buffer."""
        keyword = getattr(node, "keyword", "")
        if isinstance(node, tree.FlowOption) or keyword in DESCRIPTIVE:
            return
        if isinstance(node, tree.Threshold):
            self.signature.thresholds.append(node)
        elif isinstance(node, tree.Tag):
            self.signature.tags.append(node)
        elif isinstance(node, tree.Bits | tree.FlowInt):
            self._state(node)
        elif isinstance(node, tree.Filestore):
            self.store = True
        elif isinstance(node, tree.AppState):
            self._state_test("app-layer-state", node.name, node.operator, node.position)
        elif isinstance(node, tree.ConfigOption):
            self.signature.settings.append(node)
        elif keyword == "tls.store":
            self.signature.effects.append(bits.KeepEffect())
        elif not (self._file(node) or self._packet(node) or self._transaction(node)):
            name = keyword or type(node).__name__.lower()
            raise RefusedError(name, f"keyword {name} is not supported", node.position)

    def _state(self, node: tree.Bits | tree.FlowInt) -> None:
        """Add a condition on, or a change of, state that rules share."""
        signature = self.signature
        if isinstance(node, tree.FlowInt):
            if bits.is_check(node):
                signature.matchers.append(bits.FlowIntCheck(node))
            else:
                signature.effects.append(bits.FlowIntEffect(node))
        elif node.command == "noalert":
            return
        elif bits.is_check(node):
            check = bits.FlowBitCheck(node) if node.kind == "flowbits" else None
            signature.matchers.append(check or bits.HostBitCheck(node, self.world.hosts))
        elif node.kind == "flowbits":
            signature.effects.append(bits.FlowBitEffect(node))
        else:
            signature.effects.append(bits.HostBitEffect(node, self.world.hosts))

    def _state_test(self, keyword: str, name: str, operator: str, position: Any = None) -> None:
        """Add a condition on how far a transaction is."""
        known = {p: self.world.states(p, name) for p in self.signature.protocols or ()}
        places = {protocol: place for protocol, place in known.items() if place is not None}
        if not places:
            raise RefusedError(keyword, f"no step {name} of the rule's protocol is known", position)
        self.signature.tx_tests.append(StateTest(places, operator))

    def _file(self, node: Any) -> bool:
        """Add a condition on files."""
        found = files.condition(node, self.world.resources.text)
        if found is None:
            return False
        self.conditions.append(found)
        if isinstance(node, tree.IntMatch) and node.extra:
            self.way = node.extra
        if isinstance(node, tree.FileHash):
            self.signature.needs.add(node.algorithm)
        if isinstance(found, files.MagicCondition):
            self.signature.needs.add("magic")
        return True

    def _packet(self, node: Any) -> bool:
        """Add a condition on packet or flow."""
        found = packetkeys.build(node)
        if isinstance(node, tree.AppProtocol):
            found = AppProtocolMatcher(node, self.world.resolve)
        elif isinstance(node, tree.Iprep):
            found = self._reputation(node)
        elif isinstance(node, tree.GeoIp):
            if self.world.resources.country is None:
                raise RefusedError("geoip", "no geoip database is set", node.position)
            found = CountryMatcher(node, self.world.resources.country)
        elif isinstance(node, tree.Text) and _of_recognition(node):
            found = AppEventMatcher(node.argument)
        if found is None:
            return False
        self.signature.matchers.append(found)
        return True

    def _reputation(self, node: tree.Iprep) -> ReputationMatcher:
        """Make the matcher of ``iprep``."""
        table = self.world.reputation
        if table is None or node.category.lower() not in table.categories:
            raise RefusedError("iprep", f"no reputation category {node.category}", node.position)
        return ReputationMatcher(node, table)

    def _transaction(self, node: Any) -> bool:
        """Add a condition on a value or event of a transaction."""
        if isinstance(node, tree.Text) and node.keyword == "app-layer-event":
            name = node.argument.partition(".")[2] or node.argument
            self.signature.tx_tests.append(EventTest(name))
            self.signature.events.append(name)
            return True
        if not isinstance(node, tree.IntMatch | tree.IntSet | tree.Text | tree.Modbus):
            return False
        keyword = "modbus" if isinstance(node, tree.Modbus) else node.keyword
        specs = self.world.value_specs(keyword)
        if not specs:
            return False
        if isinstance(node, tree.Modbus):
            test = ValueTest(keyword, specs, None, node, False)
        elif isinstance(node, tree.Text):
            test = ValueTest(node.keyword, specs, None, node.argument, node.negated)
        else:
            which = node.extra if isinstance(node, tree.IntMatch) else ""
            test = ValueTest(node.keyword, specs, comparison_of(node), "", False, which)
        self.signature.tx_tests.append(test)
        return True

    def _finish_segments(self) -> None:
        """Make the chain of each buffer and put it where it is inspected."""
        payload = None
        for segment in self.segments:
            if segment.nodes or segment.absent is not None:
                chain = self._chain(segment)
                if segment.name == FRAME:
                    self._place_frame(segment, chain)
                elif segment.name:
                    self._place(segment, chain)
                else:
                    payload = chain
        if payload is not None:
            self.signature.chain = payload
            if self.signature.tx_tests or self.conditions:
                self.signature.tx_tests.append(PayloadTest(payload))

    def _chain(self, segment: Segment) -> list[Any]:
        """Make the chain; what follows ``base64_data`` is inspected inside of the decoding step."""
        self.chains.buffer = segment.name
        decode = next((n for n in segment.nodes if isinstance(n, tree.Base64Decode)), None)
        if decode is None:
            return self.chains.build(segment.nodes)
        place = segment.nodes.index(decode)
        inner = next((s for s in self.segments if s.name == "base64_data"), None)
        if inner is not None and inner.transforms:
            raise RefusedError("base64_data", "transforms of base64_data are not supported", inner.position)
        before = self.chains.build([*segment.nodes[:place], *segment.nodes[place + 1 :]])
        step = self.chains.base64(decode, inner.nodes if inner is not None else ())
        before.insert(place, step)
        if place and step.relative:
            before[place - 1].retry = True
        return before

    def _place_frame(self, segment: Segment, chain: list[Any]) -> None:
        """Make the test of a frame."""
        if segment.absent is not None or self.signature.frame is None:
            raise RefusedError("absent", "frames take no absent", segment.position)
        changes = tuple(self.world.change(n, a) for n, a in segment.transforms)
        self.signature.frame.chains.append((changes, chain))

    def _place(self, segment: Segment, chain: list[Any]) -> None:
        """Make the test of a named buffer."""
        if segment.name == "base64_data":
            if not any(isinstance(n, tree.Base64Decode) for s in self.segments for n in s.nodes):
                raise RefusedError("base64_data", "there is no base64_decode", segment.position)
            return
        absent, or_else = segment.absent is not None, bool(segment.absent and segment.absent.or_else)
        if segment.name in PACKET_BUFFERS:
            changes = tuple(self.world.change(n, a) for n, a in segment.transforms)
            test = PacketBufferTest(segment.name, changes, chain, absent, or_else)
            self.signature.packet_tests.append(test)
            return
        specs = self.world.specs(segment.name) or _file_specs(segment.name, self.signature.protocols)
        if not specs:
            raise RefusedError(segment.name, f"buffer {segment.name} is not supported", segment.position)
        key = self.world.key(segment.name, segment.transforms, specs)
        if segment.name in _FILE_TEXTS and not absent:
            self.file_chains.append(files.ChainCondition(segment.name, key.changes, chain))
        self.signature.tx_tests.append(BufferTest(key, chain, absent, or_else, segment.direction))
        if segment.name in _NEEDS:
            self.signature.needs.add(_NEEDS[segment.name])

    def _finish_files(self) -> None:
        """Make the one test of all file keywords; ``filestore`` alone keeps any file."""
        if self.store:
            self.signature.needs.add("store")
        if self.conditions or self.store:
            self.conditions += self.file_chains
            self.signature.tx_tests.append(FileTest(self.conditions, self.store, self.way))

    def _directions(self) -> None:
        """Find the directions in which all tests can be made."""
        signature = self.signature
        only = signature.header.only_direction
        possible = {0, 1} if only < 0 or signature.spans else {only}
        for test in signature.tx_tests:
            there = test.directions(signature.protocols)
            if not there:
                raise RefusedError(_name(test), f"{self.rule.protocol} has no {_name(test)}")
            if not signature.spans:
                possible &= there
        if not possible:
            raise RefusedError("flow", "the conditions belong to different directions")
        signature.directions = tuple(sorted(possible))


def _of_recognition(node: tree.Text) -> bool:
    """Tell whether an application event comes from recognising the protocol, not from its parser."""
    return node.keyword == "app-layer-event" and node.argument.startswith("applayer_")


def _name(test: Any) -> str:
    """Name a transaction test as rules do."""
    return test.key.name if isinstance(test, BufferTest) else getattr(test, "keyword", "condition")


def _file_specs(name: str, protocols: frozenset[str] | None) -> tuple[BufferSpec, ...]:
    """Declare the buffers that every protocol with files has."""
    if name not in FILE_BUFFERS or not protocols:
        return ()
    return (BufferSpec(name, tuple(sorted(protocols)), (0, 1), COMPLETE, True, True),)
