"""Reference types: what stands before a rule's ``reference`` to make it a URL."""

from __future__ import annotations

import re
from types import MappingProxyType

from appliance.rulelang.configlines import ConfigLine, read_lines
from appliance.rulelang.tree import RuleError

DEFAULT_REFERENCES = MappingProxyType(
    {
        "bugtraq": "http://www.securityfocus.com/bid/",
        "bid": "http://www.securityfocus.com/bid/",
        "cve": "http://cve.mitre.org/cgi-bin/cvename.cgi?name=",
        "secunia": "http://www.secunia.com/advisories/",
        "arachnids": "http://www.whitehats.com/info/IDS",
        "mcafee": "http://vil.nai.com/vil/content/v_",
        "nessus": "http://cgi.nessus.org/plugins/dump.php3?id=",
        "url": "https://",
        "et": "http://doc.emergingthreats.net/",
        "etpro": "http://doc.emergingthreatspro.com/",
        "telus": "http://",
        "osvdb": "http://osvdb.org/show/osvdb/",
        "threatexpert": "http://www.threatexpert.com/report.aspx?md5=",
        "md5": "http://www.threatexpert.com/report.aspx?md5=",
        "exploitdb": "http://www.exploit-db.com/exploits/",
        "openpacket": "https://www.openpacket.org/capture/grab/",
        "securitytracker": "http://securitytracker.com/id?",
        "xforce": "http://xforce.iss.net/xforce/xfdb/",
        "msft": "http://technet.microsoft.com/security/bulletin/",
    }
)

_LINES = ConfigLine(
    "reference",
    re.compile(r"config\s+reference\s*:\s*([A-Za-z][A-Za-z0-9_-]*)\s+(\S+)\s*"),
    "reference type",
    "write: config reference: name https://prefix/",
)


def parse_references(text: str, file: str) -> tuple[dict[str, str], list[RuleError]]:
    """Read a ``reference.config``: lines ``config reference: name prefix``.

    Returns:
        Name (lower case) to URL prefix, and the lines that could not be read.
    """
    matches, errors = read_lines(text, file, _LINES)
    found: dict[str, str] = {}
    for match in matches:
        found.setdefault(match[1].lower(), match[2])
    return found, errors
