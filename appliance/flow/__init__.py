"""Defragmentation, flow table, TCP states, expectations."""
