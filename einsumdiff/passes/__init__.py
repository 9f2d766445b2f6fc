"""What is done to a plan as a whole, one pass after the other, before a target writes it."""
