"""Who talks to whom: fragments put together, the bounded flow table, related flows, snapshots."""
