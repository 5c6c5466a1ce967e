"""The stages of a packet's way and their order."""
