"""Frames to packets: link, network and transport headers, tunnels, checksums."""

from appliance.decode.anomalies import ANOMALIES, INVALID, TABLE, Anomaly, is_invalid
from appliance.decode.checksum import Checksums
from appliance.decode.decoder import SUPPORTED_LINKTYPES, Decoder
from appliance.decode.quoted import embedded

__all__ = [
    "ANOMALIES",
    "INVALID",
    "SUPPORTED_LINKTYPES",
    "TABLE",
    "Anomaly",
    "Checksums",
    "Decoder",
    "embedded",
    "is_invalid",
]
