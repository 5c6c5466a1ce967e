"""Composition: reads documents and wires sources, engine and sinks."""
