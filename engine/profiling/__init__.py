"""What the profile phase finds out about one variant: time per layer or kernel, fusion, launches."""
