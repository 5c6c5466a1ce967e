"""Which VM interface is this: the inventory and its registry."""
