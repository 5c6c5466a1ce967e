"""Builders for the captures that Eastwall ships; nothing here runs in the appliance."""
