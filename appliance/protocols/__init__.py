"""Application protocols: one module each, bytes in, transactions out."""
