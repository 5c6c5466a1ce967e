"""Policy documents to one table per interface."""
