"""Exception policies: what the words mean in each place, and the master switch behind them.

Source: Suricata manual, chapter "Exception Policies".
"""

from __future__ import annotations

from appliance.config.lookup import Lookup

POLICIES = ("auto", "ignore", "drop-packet", "drop-flow", "pass-packet", "pass-flow", "bypass", "reject")
# Where there is no flow, a policy about flows means the packet, and bypass has no meaning.
_PACKET_ONLY = {"drop-flow": "drop-packet", "pass-flow": "pass-packet", "bypass": "ignore"}
_FLOW_ONLY = {"drop-packet": "drop-flow", "pass-packet": "pass-flow"}
_MIDSTREAM_ON = ("ignore", "pass-flow")
_LIVING = frozenset((*_MIDSTREAM_ON, "bypass"))  # what the master may bring to connections picked up midway


def _auto(found: Lookup, midstream: bool = False) -> str:
    """Fail closed where verdicts are carried out, and nowhere else."""
    return "drop-flow" if found.prevent and not midstream else "ignore"


def master(found: Lookup) -> str:
    """Give the policy that holds where no other is set; "auto" is resolved."""
    chosen = found.choice("exception-policy", POLICIES) or "ignore"
    return _auto(found) if chosen == "auto" else chosen


def policy(found: Lookup, path: str, has_flow: bool = True) -> str:
    """Give the policy at ``path``, or else the master's, in the form that fits the place."""
    chosen = found.choice(path, POLICIES) or master(found)
    if chosen == "auto":
        chosen = _auto(found)
    return chosen if has_flow else _PACKET_ONLY.get(chosen, chosen)


def midstream_policy(found: Lookup, midstream: bool) -> str:
    """Give the policy for connections whose begin was not seen.

    When such connections are followed, only policies that let them live make sense.
    """
    path = "stream.midstream-policy"
    chosen = found.choice(path, POLICIES)
    if chosen is None:
        fallback = master(found)
        if midstream:
            return fallback if fallback in _LIVING else "ignore"
        return _FLOW_ONLY.get(fallback, fallback)
    if chosen == "auto":
        return _auto(found, midstream)
    if midstream and chosen not in _MIDSTREAM_ON:
        found.error(
            path, f"{chosen!r} contradicts stream.midstream", f"one of {', '.join(_MIDSTREAM_ON)}, auto"
        )
    elif chosen in _FLOW_ONLY:
        found.error(path, f"{chosen!r} is about packets", f"use {_FLOW_ONLY[chosen]}")
    return chosen
