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
    CHECKSUM = "checksum"
    UNKNOWN_INTERFACE = "unknown_interface"
    SPOOFED_MAC = "spoofed_mac"
    SPOOFED_IP = "spoofed_ip"
    SPOOFED_ARP = "spoofed_arp"
    FRAGMENT_LIMIT = "fragment_limit"
    FRAGMENT_INVALID = "fragment_invalid"
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
    APPLICATION = "application"
    APPLICATION_ERROR = "application_error"
    RULE = "rule"
    RATE_FILTER = "rate_filter"
    EXCEPTION_POLICY = "exception_policy"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with its reason and the rule, policy or setting that made it."""

    verdict: Verdict
    reason: Reason = Reason.NONE
    by: str = ""


ACCEPTED = Decision(Verdict.ACCEPT)
