"""Built artifacts kept open and run on demand: what the Demo page stands on."""
