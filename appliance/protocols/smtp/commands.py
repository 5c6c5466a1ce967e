"""Commands and replies of SMTP (RFC 5321), BDAT (RFC 3030) and STARTTLS (RFC 3207)."""

from __future__ import annotations

HELO, MAIL, RCPT, DATA, BDAT, RSET, QUIT, STARTTLS, OTHER = range(9)
# What stands for the end of a message in the queue of what awaits a reply.
END_OF_DATA, LAST_CHUNK = 9, 10

_VERBS = (
    (b"starttls", STARTTLS),
    (b"mail from", MAIL),
    (b"rcpt to", RCPT),
    (b"data", DATA),
    (b"bdat", BDAT),
    (b"helo", HELO),
    (b"ehlo", HELO),
    (b"rset", RSET),
    (b"quit", QUIT),
)
_PREFIXES = {MAIL: 9, RCPT: 7, HELO: 4}
MAX_CHUNK = 0xFFFFFFFF

# Codes of the IANA registry and of those that servers have long used.
CODES = frozenset(
    (
        *(211, 214, 220, 221, 235, 250, 251, 252, 334, 354),
        *(421, 422, 430, 432, 435, 450, 451, 452, 453, 454, 455, 458, 459),
        *(500, 501, 502, 503, 504, 510, 511, 521, 523, 525, 530, 534, 535, 538),
        *(541, 550, 551, 552, 553, 554, 555, 556, 557),
    )
)


def verb(line: bytes) -> int:
    """Say which command a line is; OTHER for those that are of no interest here."""
    head = line[:9].lower()
    for name, kind in _VERBS:
        if head.startswith(name):
            return kind
    return OTHER


def argument(line: bytes, kind: int) -> bytes:
    """Give the address or name that follows a command, up to the next white space."""
    rest = line[_PREFIXES[kind] :]
    if kind != HELO:
        rest = rest[1:]  # the colon
    words = rest.split(None, 1)
    return words[0] if words else b""


def chunk(line: bytes) -> tuple[int, bool] | None:
    """Read ``BDAT length [LAST]``; None when it is not of that form."""
    words = line.split()
    if len(words) not in {2, 3} or words[0].lower() != b"bdat":
        return None
    if len(words[1]) > 19 or not words[1].isdigit():
        return None
    if len(words) == 3 and words[2].lower() != b"last":
        return None
    return int(words[1]), len(words) == 3


def reply_code(line: bytes) -> int:
    """Give the code of a reply line, 0 when there is none that exists."""
    head = line[:3]
    if len(head) < 3 or not head.isdigit():
        return 0
    code = int(head)
    return code if code in CODES else 0
