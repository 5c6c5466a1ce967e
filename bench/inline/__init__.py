"""What the appliance passes inline, beside a bare bridge and beside a peer: ``python -m bench.inline``."""
