"""What is known of the type of an array's numbers before the arguments are: which of them it follows from.

A kind is a set: names of arguments, and what functions make of other kinds; NumPy promotes the types of its
members. Two arrays of one kind have one type, whatever the arguments are. Arguments that are derived in hold
floats, and what is computed with a float is one, of the type to which all that it is computed with promote.
"""

from __future__ import annotations

from collections.abc import Collection

from einsumdiff import plan
from einsumdiff.language.table import Function, load_table
from einsumdiff.plan import Expr

Kind = frozenset[object]

FLOAT = "a float"
"""Of all arguments that hold numbers, promoted to a float: what the target calls `dtype`."""

TRUTH = "a truth value"

MADE_FLOATS = frozenset(
    "arccos arccosh arcsin arcsinh arctan arctanh arctan2 cbrt cos cosh deg2rad exp exp2 expm1 hypot log"
    " log10 log1p log2 logaddexp logaddexp2 rad2deg sin sinh sqrt tan tanh".split()
)
"""NumPy's functions of entries that give floats for whole numbers too."""

KEPT = frozenset(
    "abs ceil copysign floor fmax fmin maximum minimum negative power reciprocal sign square trunc".split()
)
"""NumPy's functions of entries that give for floats the type to which these promote."""


def in_place(function: str) -> str | None:
    """NumPy's name for a function of entries that can be written into any array of the type it gives."""
    row = load_table()[function]
    if not isinstance(row, Function) or row.spelling.template or row.spelling.scipy or row.spelling.names:
        return None
    return row.spelling.text if row.spelling.text in MADE_FLOATS | KEPT else None


class Kinds:
    """Kinds of expressions over arguments, those of `real` arrays of floats, and variables."""

    def __init__(self, arguments: Collection[str], real: Collection[str]) -> None:
        self.known: dict[str, Kind | None] = {name: frozenset([name]) for name in arguments}
        self.real = frozenset(real)

    def floating(self, kind: Kind) -> bool:
        """Is it sure to be that of floats?"""
        return any(one == FLOAT or one in self.real or isinstance(one, tuple) for one in kind)

    def joined(self, kinds: Collection[Kind]) -> Kind:
        """That of the entries of several arrays combined: truth values count where there is nothing else."""
        found: Kind = frozenset().union(*kinds)
        if FLOAT in found:
            return frozenset([FLOAT])
        if len(found) > 1:
            found -= {TRUTH}
        # what a float is made of promotes to nothing but that float
        inside = [one[1] for one in found if isinstance(one, tuple)]
        return frozenset(one for one in found if not any(one in other for other in inside))

    def of(self, value: Expr) -> Kind | None:
        """The kind of an expression, None where it is not known."""
        match value:
            case plan.Load(name, _) | plan.View(name, _, _, _, _):
                return self.known.get(name)
            case plan.Literal() | plan.Named():
                return frozenset()  # a number takes the type of the arrays around it
            case plan.Condition():
                return frozenset([TRUTH])
            case plan.Cast(base, _) if base.axes:
                return frozenset([FLOAT])
            case plan.Hot() | plan.Place() | plan.Scatter():
                return frozenset([FLOAT])
            case plan.Whole() | plan.Perform() | plan.Cast():
                return None
            case plan.Take(base, _, _, _):
                return self.of(base)
            case plan.Select(_, inner, _, _):
                return self.of(inner) or None  # of a number alone the target chooses
        kinds = [self.of(part) for part in plan.parts(value)]
        sure = [kind for kind in kinds if kind is not None]
        if len(sure) < len(kinds):
            return None
        kind = self.joined(sure)
        if isinstance(value, plan.Apply):
            return self._applied(value.function, kind)
        if self.floating(kind):
            return kind
        # of whole numbers: only what combines arrays is sure to be of the type to which these promote
        arrays = all(part.axes for part in plan.parts(value))
        combined = isinstance(value, plan.Multiply | plan.Contract | plan.Add)
        return kind if combined and arrays and TRUTH not in kind else None

    def _applied(self, function: str, kind: Kind) -> Kind | None:
        row = load_table()[function]
        if isinstance(row, Function) and row.boolean:
            return frozenset([TRUTH])
        name = in_place(function)
        if name is None or not kind or TRUTH in kind:
            return None
        if self.floating(kind):
            return kind
        return frozenset([(name, kind)]) if name in MADE_FLOATS else None
