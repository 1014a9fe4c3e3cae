"""What conversions share: wrapping, casting and rewriting modules, scripts, programs and graphs."""
