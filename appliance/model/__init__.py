"""Plain value types that every layer shares; this package imports nothing of Eastwall."""
