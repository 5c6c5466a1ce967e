"""Eastwall: firewall and intrusion prevention for virtual machines, from outside the machine."""
