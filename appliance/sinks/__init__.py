"""Where events go: EVE JSON, summaries, metrics."""
