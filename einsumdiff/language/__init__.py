"""What is typed: grammar to syntax tree, and the table of rules that is written in the same language."""
