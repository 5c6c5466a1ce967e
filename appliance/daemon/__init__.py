"""Composition: wires sources, engine and sinks."""
