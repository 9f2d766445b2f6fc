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

Kind = int
"""A set as the bits of a number: what a network of a thousand layers computes has thousands of members."""

FLOAT: Kind = 1
"""Of all arguments that hold numbers, promoted to a float: what the target calls `dtype`."""

TRUTH: Kind = 2
"""A truth value."""

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
        self._bits: dict[object, Kind] = {}
        self._made: dict[Kind, Kind] = {}  # what functions make, and of which kinds
        self._made_bits: Kind = 0
        self._floats = FLOAT
        self._found: dict[Expr, Kind] = {}
        self.known: dict[str, Kind | None] = {name: self._bit(name) for name in arguments}
        for name in real:
            self._floats |= self._bit(name)

    def _bit(self, member: object) -> Kind:
        return self._bits.setdefault(member, 1 << len(self._bits) + 2)

    def arguments(self, kind: Kind) -> tuple[str, ...] | None:
        """The arguments whose types promote to that of the kind; None where something else is in it."""
        if kind & self._made_bits or kind & (FLOAT | TRUTH) or not kind:
            return None
        return tuple(str(one) for one, bit in self._bits.items() if kind & bit)

    def floating(self, kind: Kind) -> bool:
        """Is it sure to be that of floats?"""
        return kind & self._floats != 0

    def joined(self, kinds: Collection[Kind]) -> Kind:
        """That of the entries of several arrays combined: truth values count where there is nothing else."""
        found: Kind = 0
        for kind in kinds:
            found |= kind
        if found & FLOAT:
            return FLOAT
        if found != TRUTH:
            found &= ~TRUTH
        # what a float is made of promotes to nothing but that float
        inside = 0
        made = found & self._made_bits
        while made:
            last = made & -made
            inside |= self._made[last]
            made ^= last
        return found & ~inside

    def of(self, value: Expr) -> Kind | None:
        """The kind of an expression, None where it is not known."""
        if isinstance(value, plan.Load):
            return self.known.get(value.name)
        found = self._found.get(value)
        if found is None:
            found = self._of(value)
            if found is not None:  # it may become known later
                self._found[value] = found
        return found

    def _of(self, value: Expr) -> Kind | None:
        match value:
            case plan.View(name, _, _, _, _):
                return self.known.get(name)
            case plan.Ones(like, _):
                return self.known.get(like)
            case plan.Literal() | plan.Named():
                return 0  # a number takes the type of the arrays around it
            case plan.Condition():
                return TRUTH
            case plan.Cast(base, _) if base.axes:
                return FLOAT
            case plan.Hot() | plan.Place() | plan.Scatter():
                return FLOAT
            case plan.Whole() | plan.Perform() | plan.Cast():
                return None
            case plan.Take(base, _, _, _):
                return self.of(base)
            case plan.Choose(_, _, rest, _):
                return self.of(rest)
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
        return kind if combined and arrays and not kind & TRUTH else None

    def _applied(self, function: str, kind: Kind) -> Kind | None:
        row = load_table()[function]
        if isinstance(row, Function) and row.boolean:
            return TRUTH
        name = in_place(function)
        if name is None or not kind or kind & TRUTH:
            return None
        if self.floating(kind):
            return kind
        if name not in MADE_FLOATS:
            return None
        found = self._bit((name, kind))
        self._made[found] = kind
        self._made_bits |= found
        self._floats |= found
        return found
