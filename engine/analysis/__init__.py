"""What measurements mean: Pareto front, choice under constraints, headline, diagnosis, roofline."""
