"""Rules against packets, streams and transactions: prefilter, Hyperscan, evaluation."""
