"""Rule text to a typed tree."""
