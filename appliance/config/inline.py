"""What settings are when the engine stands in the traffic instead of looking at a capture."""

from __future__ import annotations

from dataclasses import replace

from appliance.config.settings import Settings


def inline_defaults(settings: Settings) -> Settings:
    """Change defaults that a settings file may still overrule.

    Connections that were open before the appliance was started go on, and are followed from where they are.
    """
    return replace(settings, stream=replace(settings.stream, midstream=True, midstream_policy="ignore"))


def inline_facts(settings: Settings) -> Settings:
    """Set what the datapath decides, whatever a file says.

    Segments are judged one by one, ACKs without data stay in the kernel, and the kernel puts fragments
    together before it hands a datagram over: a fragment that comes by itself would pass unjudged.
    """
    stream = replace(settings.stream, inline=True, bare_acks=False)
    return replace(settings, stream=stream, defrag=replace(settings.defrag, unjudged="drop"))
