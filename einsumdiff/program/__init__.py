"""Programs in index form, and the algebra that builds them.

`Value` is an expression under construction: a sum of products over labelled axes. `Builder` combines
values and turns them into definitions where sharing or non-linearity asks for one: what stands inside a
function, a reduction, a power or a product of sums.
"""

from einsumdiff.program.builder import MOST_TERMS, Builder, Rewrite
from einsumdiff.program.program import Program, live
from einsumdiff.program.values import Value, at, broadcast, extent, indicator, number, of_product, read

__all__ = [
    "Builder",
    "MOST_TERMS",
    "Program",
    "Rewrite",
    "Value",
    "at",
    "broadcast",
    "extent",
    "indicator",
    "live",
    "number",
    "of_product",
    "read",
]
