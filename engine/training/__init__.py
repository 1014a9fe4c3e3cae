"""Training inside a step: fine-tuning, distillation, pruning in cycles. Used in workers only."""
