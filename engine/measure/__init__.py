"""Measuring: the clock, throughput, memory, power, parity, accuracy and environment. No torch here."""
