"""Ways to run the HTTP/1 parser and to compare what came out."""

from appliance.config.settings import AppSettings
from appliance.model.flow import Flow
from appliance.protocols.http1 import SPEC, HttpParser


def parser(options=None, settings=None):
    made = HttpParser({} if options is None else {"libhtp": {"default-config": options}})
    made.open(Flow(6, b"\x0a\0\0\1", b"\x0a\0\0\2", 40000, 80), settings or AppSettings(), None)
    return made


def exchange(request, response, cuts=((), ()), options=None, settings=None, end=True):
    made = parser(options, settings)
    for direction, stream in enumerate((request, response)):
        last = 0
        for cut in (*sorted(cuts[direction]), len(stream)):
            made.data(direction, stream[last:cut])
            last = max(last, cut)
    if end:
        made.end(0)
        made.end(1)
    return made


def snapshot(made):
    return [
        (
            tx.log(),
            sorted(tx.events),
            list(tx.progress),
            {(spec.name, d): tx.buffer(spec.name, d) for spec in SPEC.buffers for d in (0, 1)},
            [(f.name, bytes(f.data), f.size, f.state, f.gaps) for f in tx.files],
        )
        for tx in made.transactions
    ]
