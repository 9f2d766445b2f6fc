"""From the syntax tree to a Program in index form: names, ranks, sizes, the Einstein rule, values."""
