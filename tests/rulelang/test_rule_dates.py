"""Dates of the keywords on the validity of certificates."""

from __future__ import annotations

import pytest

HEAD = "alert tls any any -> any any"


@pytest.mark.parametrize(
    ("text", "operator", "low"),
    [
        ("2015-10-22", "=", 1445472000),
        ('"<2015-10"', "<=", 1443657600),
        (">2015-10-22T21:00:01", ">=", 1445547601),
        ("2015-10-22 21", "=", 1445547600),
        ("1445472000", "=", 1445472000),
    ],
)
def test_dates(options, text: str, operator: str, low: int) -> None:
    found = options(f"tls_cert_notafter:{text};", HEAD)[0]
    assert (found.operator, found.low) == (operator, low)


def test_span_includes_its_ends(options) -> None:
    found = options("tls_cert_notbefore:2015-10<>2015-11;", HEAD)[0]
    assert found.ranges == ((1443657600, 1446336000),)


@pytest.mark.parametrize("text", ["2015-13-01", "yesterday", "2016-01<>2015-01", "2015-10-22T25"])
def test_what_is_no_date_is_refused(refusal, text: str) -> None:
    assert refusal(f"tls_cert_notafter:{text};", HEAD).keyword == "tls_cert_notafter"
