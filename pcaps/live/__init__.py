"""The demonstration that `make run` shows: a host, its VMs and an attack, for real."""
