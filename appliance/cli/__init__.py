"""The ``eastwall`` command; thin."""
