"""Ordered rules per interface, stateful limits, scan detection."""
