"""Frames to packets: headers, checksums, anomalies."""
