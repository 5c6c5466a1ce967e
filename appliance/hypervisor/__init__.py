"""Who runs where, as hypervisors say it. See ``docs/hypervisors.md``."""
