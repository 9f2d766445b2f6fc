"""How derivatives are weighed against each other that are equal but for the order of elimination.

By the plan that computes them, as `d.cost` counts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from einsumdiff.accounts import account
from einsumdiff.differentiate import Elimination, Jacobian
from einsumdiff.errors import EinsumDiffError
from einsumdiff.forms.options import Options
from einsumdiff.hessians import computed_once
from einsumdiff.program import Program
from einsumdiff.sizes import names


def weighed(program: Program, mode: str, sizes: Mapping[str, int]) -> Elimination:
    """The elimination of that mode, at these sizes; those that are not given are assumed."""
    every = tuple({name: None for one in program.inputs for size in one.shape for name in names(size)})
    options = Options(sizes=tuple(sorted(sizes.items())))

    def measure(jacobians: Sequence[Jacobian]) -> float:
        from einsumdiff.lower import lower

        once = computed_once(jacobians, program.builder.copy())
        keys = [f"{k}" for k in range(len(once))] if len(once) > 1 else []
        try:
            plan = lower(program, once, keys=keys, options=options)
        except EinsumDiffError:  # said when the function is asked for
            return inf
        return account(plan, sizes, every).weight

    return Elimination(mode, sizes, measure)
