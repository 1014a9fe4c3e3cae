"""Training inside a step: fine-tuning, distillation, pruning in cycles. Used in workers only."""

LOSSY = "Training changed the outputs on purpose; accuracy is what counts."
