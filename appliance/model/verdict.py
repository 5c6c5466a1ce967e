"""What happens to a packet, and why: both closed sets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Verdict(IntEnum):
    """Outcome for one packet, in order of strictness: the higher wins between two ends."""

    BYPASS = 0
    ACCEPT = 1
    DROP = 2
    REJECT = 3


class Reason(StrEnum):
    """Why a packet was not accepted. Closed: every drop carries one, each has a counter."""

    NONE = "none"
    MALFORMED = "malformed"
    UNKNOWN_INTERFACE = "unknown_interface"
    SPOOFED_MAC = "spoofed_mac"
    SPOOFED_IP = "spoofed_ip"
    SPOOFED_ARP = "spoofed_arp"
    FRAGMENT_LIMIT = "fragment_limit"
    FRAGMENT_INVALID = "fragment_invalid"
    FRAGMENT_UNJUDGED = "fragment_unjudged"
    BYTES_UNSEEN = "bytes_unseen"
    FLOW_TABLE_FULL = "flow_table_full"
    FIREWALL = "firewall"
    FLOW_DENIED = "flow_denied"
    STATE_INVALID = "state_invalid"
    LIMIT_CONNECTIONS = "limit_connections"
    LIMIT_HALF_OPEN = "limit_half_open"
    LIMIT_SYN_RATE = "limit_syn_rate"
    SCAN_BLOCK = "scan_block"
    STREAM_INVALID = "stream_invalid"
    STREAM_MIDSTREAM = "stream_midstream"
    STREAM_REASSEMBLY = "stream_reassembly"
    STREAM_URGENT = "stream_urgent"
    APPLICATION = "application"
    APPLICATION_ERROR = "application_error"
    OVERLOAD = "overload"
    RULE = "rule"
    RATE_FILTER = "rate_filter"
    EXCEPTION_POLICY = "exception_policy"


# Drop reasons by the words that EVE's `drop.reason` uses, where Suricata has the same reason; the
# counter below `ips.drop_reason` is the same with underscores. The others keep their own name.
REASON_WORDS: dict[Reason, str] = {
    Reason.MALFORMED: "decode error",
    Reason.FRAGMENT_INVALID: "defrag error",
    Reason.FRAGMENT_LIMIT: "defrag memcap",
    Reason.FLOW_TABLE_FULL: "flow memcap",
    Reason.FLOW_DENIED: "flow drop",
    Reason.STREAM_INVALID: "stream error",
    Reason.STREAM_MIDSTREAM: "stream midstream",
    Reason.STREAM_REASSEMBLY: "stream reassembly",
    Reason.STREAM_URGENT: "stream urgent",
    Reason.APPLICATION_ERROR: "applayer error",
    Reason.RULE: "rules",
    Reason.RATE_FILTER: "threshold detection_filter",
    Reason.EXCEPTION_POLICY: "exception policy flow drop",
}


def reason_words(reason: Reason) -> str:
    """Name a drop reason as records do: ``flow drop``, ``spoofed mac``."""
    return REASON_WORDS.get(reason) or reason.value.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with its reason and the rule, policy or setting that made it."""

    verdict: Verdict
    reason: Reason = Reason.NONE
    by: str = ""


ACCEPTED = Decision(Verdict.ACCEPT)
