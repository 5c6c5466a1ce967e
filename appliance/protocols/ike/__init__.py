"""IKE, versions 1 and 2."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from appliance.model.app import BufferSpec, Parser, ValueSpec
from appliance.model.packet import TOCLIENT, TOSERVER
from appliance.protocols.ike import v1, v2
from appliance.protocols.ike.message import HEADER, V2_INITIATOR, Header, Payloads, header, payloads
from appliance.protocols.ike.transaction import IkeTransaction
from appliance.protocols.spec import PROBE_NO, PROBE_YES, Probing, ProtocolSpec

_BOTH = (TOSERVER, TOCLIENT)
_PORT = ((500, 500),)
_IKE = ("ike",)
_V2_EXCHANGES = range(34, 44)
_MAX_DIGITS = 19
_COMPARISONS = {
    "=": lambda a, b: a == b,
    "!": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


class IkeParser(Parser):
    """Messages of one flow; remembers what both ends sent in the clear in version 1."""

    name = "ike"
    log_type = "ike"

    def __init__(self, settings: Any = None) -> None:
        """Start before the first message."""
        super().__init__(settings)
        self._parties = [v1.End(), v1.End()]

    @override
    def data(self, direction: int, chunk: bytes) -> None:
        head = header(chunk)
        whole = head is not None and HEADER <= head.length <= len(chunk)
        if head is None or not whole:
            self._add(IkeTransaction(self.next_tx, direction, None, Payloads()), "malformed_data")
            return
        first = 0 if head.encrypted else head.next
        chain = payloads(chunk, first, HEADER, HEADER if head.encrypted else head.length)
        tx = IkeTransaction(self.next_tx, direction, head, chain)
        self._read(tx, head, chain)
        self._add(tx, *self._flaws(chain))

    def _read(self, tx: IkeTransaction, head: Header, chain: Payloads) -> None:
        """Read the payloads as the version has them."""
        if head.major == 2:
            tx.content = v2.collect(chain, initiator=bool(head.flags & V2_INITIATOR))
            tx.events.extend(tx.content.events)
            return
        if not head.encrypted:
            tx.own = v1.collect(chain, v1.End())
            self._parties[tx.direction] = v1.collect(chain, self._parties[tx.direction])
        tx.parties = (self._parties[0], self._parties[1])

    @staticmethod
    def _flaws(chain: Payloads) -> list[str]:
        if not chain.sound:
            return ["malformed_data"]
        return ["payload_extra_data"] if chain.extra else []

    def _add(self, tx: IkeTransaction, *events: str) -> None:
        tx.events.extend(events)
        self.transactions.append(tx)
        self.next_tx += 1


def probe(data: bytes) -> int:
    """Tell whether a datagram is one message of a known version and exchange."""
    head = header(data)
    if head is None or head.length != len(data) or head.initiator == "0" * 16:
        return PROBE_NO
    return PROBE_YES if head.major == 1 or head.exchange in _V2_EXCHANGES else PROBE_NO


def same_attribute(given: Any, argument: str) -> bool:
    """Compare a chosen attribute with what a rule writes: ``alg_hash=2``, ``sa_key_length>=128``."""
    place = next((i for i, char in enumerate(argument) if char in "=<>!"), 0)
    name, rest = argument[:place].strip().lower(), argument[place:]
    sign = rest[:2] if rest[:2] in _COMPARISONS else rest[:1]
    digits = rest[len(sign) :].strip()
    if name not in given or sign not in _COMPARISONS or len(digits) > _MAX_DIGITS or not digits.isdecimal():
        return False
    return bool(_COMPARISONS[sign](given[name], int(digits)))


SPECS = (
    ProtocolSpec(
        "ike",
        transports=("udp",),
        parser=IkeParser,
        probings=tuple(Probing(probe, direction, _PORT) for direction in _BOTH),
        buffers=(
            BufferSpec("ike.init_spi", _IKE, (TOSERVER,)),
            BufferSpec("ike.resp_spi", _IKE, (TOCLIENT,)),
            BufferSpec("ike.vendor", _IKE, (TOSERVER,), multi=True),
            BufferSpec("ike.key_exchange_payload", _IKE, _BOTH),
            BufferSpec("ike.nonce_payload", _IKE, _BOTH),
        ),
        values=(
            ValueSpec("ike.exchtype", _IKE, _BOTH),
            ValueSpec("ike.key_exchange_payload_length", _IKE, _BOTH),
            ValueSpec("ike.nonce_payload_length", _IKE, _BOTH),
            ValueSpec("ike.chosen_sa_attribute", _IKE, (TOCLIENT,), test=same_attribute),
        ),
        log="ike",
        aliases=("ikev1", "ikev2"),
        events=frozenset(
            (
                "invalid_proposal",
                "malformed_data",
                "multiple_server_proposal",
                "no_encryption",
                "payload_extra_data",
                "unknown_proposal",
                "weak_crypto_auth",
                "weak_crypto_dh",
                "weak_crypto_enc",
                "weak_crypto_no_auth",
                "weak_crypto_no_dh",
                "weak_crypto_prf",
            )
        ),
    ),
)
