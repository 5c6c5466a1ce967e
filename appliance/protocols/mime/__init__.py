"""MIME (RFC 2045 to 2049): messages taken apart as they arrive, in bounded memory."""
