"""Saying what a model is: inputs, outputs, parameters, operators, control flow, state, task."""
