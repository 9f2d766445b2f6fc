"""Targets: each turns a plan into source text of one library."""
