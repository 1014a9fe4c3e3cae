"""What pruning steps share: which weights there are, how they are ranked, what was done to them."""
