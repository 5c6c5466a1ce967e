"""Frozen settings and their loaders."""
