"""Python functions as programs: what a function does to arrays that record it, as program text."""
