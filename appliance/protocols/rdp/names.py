"""Numbers of the remote desktop protocol (MS-RDPBCGR) and their names in records."""

from __future__ import annotations

import locale

# RDP_NEG_RSP, section 2.2.1.2.1.
PROTOCOLS = {0: "rdp", 1: "ssl", 2: "hybrid", 4: "rds_tls", 8: "hybrid_ex", 16: "rds_aad"}
SUPPORTED = (
    (0x01, "extended_client_data"),
    (0x02, "dynvc_gfx"),
    (0x08, "restricted_admin"),
    (0x10, "redirected_authentication"),
)
# RDP_NEG_FAILURE, section 2.2.1.2.2.
FAILURES = {
    1: "ssl required by server",
    2: "ssl not allowed by server",
    3: "ssl cert not on server",
    4: "inconsistent flags",
    5: "hybrid required by server",
    6: "ssl with user auth required by server",
}

# Client core data, section 2.2.1.3.2.
VERSIONS = {
    0x0008_0001: "v4",
    0x0008_0004: "v5",
    **{0x0008_0005 + minor: f"v10.{minor}" for minor in range(13)},
}
KEYBOARDS = {1: "xt", 2: "ico", 3: "at", 4: "enhanced", 5: "1050", 6: "9140", 7: "jp"}
CAPABILITIES = (
    (0x001, "support_errinfo_pdf"),
    (0x002, "want_32bpp_session"),
    (0x004, "support_statusinfo_pdu"),
    (0x008, "strong_asymmetric_keys"),
    (0x040, "support_monitor_layout_pdu"),
    (0x080, "support_netchar_autodetect"),
    (0x100, "support_dynvc_gfx_protocol"),
    (0x200, "support_dynamic_time_zone"),
    (0x400, "support_heartbeat_pdu"),
)
WANT_32BPP = 0x002
VALID_CONNECTION = 0x020
CONNECTIONS = {
    1: "modem",
    2: "low_broadband",
    3: "satellite",
    4: "high_broadband",
    5: "wan",
    6: "lan",
    7: "autodetect",
}
DEPTHS = {0xCA00: 4, 0xCA01: 8, 0xCA02: 15, 0xCA03: 16, 0xCA04: 24}
HIGH_DEPTHS = frozenset((4, 8, 15, 16, 24))

# Builds of Windows, which clients of Microsoft send.
BUILDS = {
    528: "Windows NT 3.1",
    807: "Windows NT 3.5",
    1057: "Windows NT 3.51",
    1381: "Windows NT 4.0",
    950: "Windows 95",
    1998: "Windows 98",
    2222: "Windows 98 SE",
    2195: "Windows 2000",
    2600: "Windows XP",
    3000: "Windows ME",
    3790: "Windows Server 2003",
    6000: "Windows Vista",
    6001: "Windows Vista SP1",
    6002: "Windows Vista SP2",
    7600: "Windows 7",
    7601: "Windows 7 SP1",
    9200: "Windows 8",
    9600: "Windows 8.1",
    10240: "Windows 10 1507",
    10586: "Windows 10 1511",
    14393: "Windows 10 1607",
    15063: "Windows 10 1703",
    16299: "Windows 10 1709",
    17134: "Windows 10 1803",
    17763: "Windows 10 1809",
    18362: "Windows 10 1903",
    18363: "Windows 10 1909",
    19041: "Windows 10 2004",
    19042: "Windows 10 20H2",
    19043: "Windows 10 21H1",
    19044: "Windows 10 21H2",
    19045: "Windows 10 22H2",
    20348: "Windows Server 2022",
    22000: "Windows 11 21H2",
    22621: "Windows 11 22H2",
    22631: "Windows 11 23H2",
    26100: "Windows 11 24H2",
}


def layout(number: int) -> str:
    """Name the language of a keyboard layout, whose low half is a locale of Windows."""
    name = locale.windows_locale.get(number) or locale.windows_locale.get(number & 0xFFFF)
    return name.replace("_", "-") if name else "unknown"
