"""What pruning steps share: which weights there are, how they are ranked, what was done to them."""

LOSSY = "Pruning changes the outputs on purpose; accuracy is what counts."
