"""The state of a machine's interface on its way from one host to another, and who owns the interface."""
