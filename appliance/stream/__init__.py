"""TCP reassembly for inline use."""
