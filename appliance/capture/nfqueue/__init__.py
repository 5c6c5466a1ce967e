"""Frames out of the kernel's queues (NFQUEUE): two readers behind one ``LiveSource``."""
