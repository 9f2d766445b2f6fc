"""Kronecker's deltas are solved, not multiplied: `[form == 0]` goes and takes a label with it.

    sum[j] [i - j == 0]*A[i,j]*x[j]   ->   A[i,i]*x[i]

The rules are those of linear Diophantine equations over boxes. Whatever cannot be solved stays a guard,
which lowering evaluates: it is never dropped and never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from math import gcd

from einsumdiff.nodes import (
    Entry,
    Factor,
    Form,
    Guard,
    Label,
    Number,
    Product,
    Term,
    bare,
    constant_form,
    decide,
    factor_labels,
    is_one_hot,
    product,
    substitute_factor,
)
from einsumdiff.sizes import AnySize, Size, nonnegative


def solve(term: Term) -> list[Term]:
    """The term without the `==` guards that can be solved; no term where they contradict."""
    factors = term.product.factors
    if not any(isinstance(f, Guard) for f in factors) and not _alike(factors) and not _diagonals(factors):
        return [] if _is_zero(term.product) else [term]
    equalities = [f.form for f in term.product.factors if isinstance(f, Guard) and f.op == "=="]
    rest = [f for f in term.product.factors if not (isinstance(f, Guard) and f.op == "==")]
    return join(term.axes, term.product.coefficient, rest, equalities, (*term.labels, *term.product.bound))


def join(
    axes: tuple[Form, ...],
    coefficient: Number,
    factors: Iterable[Factor],
    equalities: list[Form],
    labels: Iterable[Label],
) -> list[Term]:
    """The term with those axes and factors where every one of `equalities` is 0.

    `labels` are all that it runs over; those that end in no axis are summed. No term means zero.
    """
    factors = list(factors)
    special = [f for f in factors if isinstance(f, Entry) and (f.array.zeros or is_one_hot(f.array))]
    if special:
        for one, other in _alike(special):
            factors.remove(other)
            equalities = [*equalities, one.forms[-1] - other.forms[-1]]
        equalities = [*equalities, *_diagonals(special)]
    running = list(labels)
    if equalities:
        system = _System(list(axes))
        solved = system.eliminate(equalities)
        if solved is None:
            return []
        values = system.values
        if values:
            factors = [substitute_factor(f, values) for f in factors]
        factors += [*(Guard(f.substitute(values), op) for f, op in system.guards), *solved]
        axes = tuple(form.substitute(values) for form in axes)
        running = [label for label in (*running, *system.new) if label not in values]
    kept = {label for form in axes for label in form.labels}
    bound = [label for label in dict.fromkeys(running) if label not in kept]
    made = product(coefficient, factors, bound)
    if _is_zero(made):
        return []
    term = Term(axes, made)
    if any(isinstance(f, Guard) and f.op == ">=" for f in made.factors):
        term = _shrink(term)
    return [] if _is_zero(term.product) else [_forwards(term)]


def _forwards(term: Term) -> Term:
    """An axis that a label of its own runs through backwards is run through forwards.

    (n - 1 - i) core p[i]   ->   (i) core p[n - 1 - i]
    """
    count: dict[Label, int] = {}
    for form in term.axes:
        for label in form.labels:
            count[label] = count.get(label, 0) + 1
    values = {}
    for form in term.axes:
        if len(form.coefficients) == 1 and form.coefficients[0][1] == -1:
            (label,) = form.labels
            if count[label] == 1 and form.constant == label.size - 1:
                values[label] = Form(((label, -1),), form.constant)
    return term.substitute(values) if values else term


def _alike(factors: Iterable[Factor]) -> list[tuple[Entry, Entry]]:
    """One-hot entries of one index, whose places are equal wherever both are 1.

    [k == i]*[k == j]   ->   [k == i]*[i - j == 0]
    """
    first: dict[tuple[object, ...], Entry] = {}
    pairs = []
    for f in factors:
        if isinstance(f, Entry) and is_one_hot(f.array):
            old = first.setdefault((f.array, f.forms[:-1]), f)
            if old is not f:
                pairs.append((old, f))
    return pairs


def _diagonals(factors: Iterable[Factor]) -> list[Form]:
    """What is 0 wherever the entries of diagonal arrays are not.

    D[i,k]*X[k,j]   ->   [i - k == 0]*D[i,k]*X[k,j]
    """
    return [
        f.forms[-2] - f.forms[-1]
        for f in factors
        if isinstance(f, Entry) and f.array.zeros == "diagonal" and f.power > 0 and f.forms[-2] != f.forms[-1]
    ]


def _is_zero(one: Product) -> bool:
    return one.coefficient == 0 and not isinstance(one.coefficient, float)


class _System:
    """Equalities being eliminated: `values` is the substitution so far, applied to itself."""

    def __init__(self, axes: list[Form]) -> None:
        self.values: dict[Label, Form] = {}
        self.guards: list[tuple[Form, str]] = []
        self.new: list[Label] = []
        self.order = {label: k for k, label in enumerate(dict.fromkeys(n for f in axes for n in f.labels))}

    def eliminate(self, equalities: list[Form]) -> list[Guard] | None:
        """Solve them, the shortest first; the guards that stay, or None for a contradiction."""
        kept: list[Guard] = []
        todo = list(equalities)
        while todo:
            todo = [form.substitute(self.values) for form in todo]
            todo.sort(key=lambda form: len(form.coefficients))
            form = todo.pop(0)
            holds = decide(form, "==")
            if holds is False:
                return None
            if holds:
                continue
            divided = _divide(form)
            if divided is None:
                return None
            split = _mixed_radix(divided)
            if split is not None:
                todo[:0] = split
            elif not self._eliminate_unit(divided) and not self._walk(divided):
                kept.append(Guard(divided, "=="))
        return [Guard(guard.form.substitute(self.values), "==") for guard in kept]

    def _set(self, label: Label, form: Form) -> None:
        one = {label: form}
        for old, value in self.values.items():
            self.values[old] = value.substitute(one)
        self.values[label] = form

    def _eliminate_unit(self, form: Form) -> bool:
        """Solve for a label with coefficient 1 or -1.

        The one whose range is proved on both sides first, then the largest range, then one that no
        axis bears, then the last axis: bands stay bands, and the letters of the output stay.
        """
        best: tuple[tuple[int, int, int], Label, list[Form]] | None = None
        for label, c in form.coefficients:
            if c not in (1, -1):
                continue
            # not form + c*label: an operand may be large, and signs are easy to get wrong
            rest = Form(tuple(item for item in form.coefficients if item[0] is not label), form.constant)
            value = rest.times(-1) if c == 1 else rest
            open_sides = _unproved_sides(value, label.size)
            larger = sum(
                nonnegative(label.size - other.size) for other, _ in form.coefficients if other is not label
            )
            rank = (-len(open_sides), larger, self.order.get(label, len(self.order) + 1))
            if best is None or rank > best[0]:
                best = rank, label, open_sides
                chosen = value
        if best is None:
            return False
        _, label, open_sides = best
        self.guards += [(side, ">=") for side in open_sides]
        self._set(label, chosen)
        return True

    def _walk(self, form: Form) -> bool:
        """`a*x + b*y + c == 0` with whole numbers: along the line of solutions with a new label."""
        if len(form.coefficients) != 2 or not isinstance(form.constant, int):
            return False
        (x, a), (y, b) = form.coefficients
        if not isinstance(a, int) or not isinstance(b, int):
            return False
        step_x, step_y = abs(b), abs(a)  # gcd(a, b) is 1: _divide saw to it
        start_x = next(k for k in range(step_x) if (a * k + form.constant) % b == 0)
        start_y = -(a * start_x + form.constant) // b
        if a * b < 0:  # x and y grow together: start where both are >= 0
            lift = max(0, -(start_y // step_y))
            start_x, start_y = start_x + lift * step_x, start_y + lift * step_y
            count_x = (x.size - 1 - start_x) // step_x + 1
            count_y = (y.size - 1 - start_y) // step_y + 1
            count = count_x if nonnegative(count_y - count_x) else count_y
            label = Label(count)
            move_y = bare(label).times(step_y).plus(start_y)
        else:
            label = Label((x.size - 1 - start_x) // step_x + 1)
            move_y = bare(label).times(-step_y).plus(start_y)
        if not nonnegative(label.size):
            return False
        move_x = bare(label).times(step_x).plus(start_x)
        for one, value in ((x, move_x), (y, move_y)):
            self.guards += [(side, ">=") for side in _unproved_sides(value, one.size)]
        self.new.append(label)
        self._set(x, move_x)
        self._set(y, move_y)
        return True


def _unproved_sides(value: Form, size: AnySize) -> list[Form]:
    """The forms that must be `>= 0` for `0 <= value < size` and are not proved to be."""
    return [side for side in (value, value.times(-1).plus(size - 1)) if decide(side, ">=") is not True]


def _divide(form: Form) -> Form | None:
    """The form over the greatest common divisor of its coefficients; None if the constant forbids it."""
    if not form.coefficients or not all(isinstance(c, int) for _, c in form.coefficients):
        return form  # without labels it is a question about sizes, which stays one
    divisor = reduce(gcd, (c for _, c in form.coefficients if isinstance(c, int)))
    if divisor == 1:
        return form
    if not isinstance(form.constant, int):
        terms = form.constant.terms
        if any(c % divisor for _, c in terms):
            return form
        constant: AnySize = Size(tuple((m, c // divisor) for m, c in terms))
    elif form.constant % divisor:
        return None
    else:
        constant = form.constant // divisor
    return Form(tuple((n, c // divisor) for n, c in form.coefficients if isinstance(c, int)), constant)


def _quotient(c: AnySize, a: AnySize) -> AnySize | None:
    """`c/a` where it is whole: of numbers, or of single terms of sizes."""
    if c == a:
        return 1
    if c == -a:
        return -1
    if isinstance(c, int) and isinstance(a, int):
        return c // a if c % a == 0 else None
    if isinstance(c, Size) and isinstance(a, Size) and len(c.terms) == len(a.terms) == 1:
        (over, k), (under, j) = c.terms[0], a.terms[0]
        left = list(over)
        for atom in under:
            if atom not in left:
                return None
            left.remove(atom)
        return None if k % j else Size(((tuple(left), 1),)) * (k // j) if left else k // j
    if isinstance(c, Size) and isinstance(a, int) and all(k % a == 0 for _, k in c.terms):
        return Size(tuple((m, k // a) for m, k in c.terms))
    return None


def _mixed_radix(form: Form) -> list[Form] | None:
    """`a*U + R == 0` with `|R| < a` is `U == 0` and `R == 0`, for some coefficient a of the form."""
    for _, a in form.coefficients:
        if a in (1, -1):
            continue
        if not nonnegative(a):
            a = -a
        high: dict[Label, AnySize] = {}
        low: dict[Label, AnySize] = {}
        for label, c in form.coefficients:
            q = _quotient(c, a)
            if q is None:
                low[label] = c
            else:
                high[label] = q
        if not low and form.constant == 0:
            continue
        splits: list[tuple[AnySize, AnySize]] = [(0, form.constant)]
        if isinstance(form.constant, int) and isinstance(a, int):
            q, r = divmod(form.constant, a)
            splits = [(q, r), (q + 1, r - a)]
        else:
            q_all = _quotient(form.constant, a)
            if q_all is not None:
                splits.insert(0, (q_all, 0))
        for q_constant, r_constant in splits:
            rest = Form(tuple(low.items()), r_constant)
            bounds = rest.bounds()
            if bounds is None:
                continue
            facts = tuple(n.size - 1 for n in form.labels if isinstance(n.size, Size))
            if nonnegative(bounds[0] + a - 1, facts) and nonnegative(a - 1 - bounds[1], facts):
                upper = Form(tuple(high.items()), q_constant)
                if rest.coefficients or rest.constant != 0:
                    return [rest, upper]
                return [upper]
    return None


def _shrink(term: Term) -> Term:
    """A guard on one label narrows its range: `[i - 2 >= 0]` is `i -> i + 2` over `size - 2`."""
    while True:
        for guard in term.product.factors:
            if not isinstance(guard, Guard) or guard.op != ">=" or len(guard.form.coefficients) != 1:
                continue
            ((label, c),) = guard.form.coefficients
            bound = guard.form.constant
            if c == 1 and nonnegative(label.size + bound) and nonnegative(-bound):
                new, start = Label(label.size + bound, label.name), -bound
            elif c == -1 and nonnegative(bound + 1) and nonnegative(label.size - 1 - bound):
                new, start = Label(bound + 1, label.name), 0
            else:
                continue
            term = _rename(term, label, new, bare(new).plus(start))
            break
        else:
            return term


def _rename(term: Term, label: Label, new: Label, form: Form) -> Term:
    values = {label: form if new.size != 1 else constant_form(form.constant)}
    factors = [substitute_factor(f, values) for f in term.product.factors]
    axes = tuple(f.substitute(values) for f in term.axes)
    bound = [new if b is label else b for b in term.product.bound]
    if new.size == 1:
        bound = [b for b in bound if b is not new]
    return Term(axes, product(term.product.coefficient, factors, bound))


def borne(factors: Iterable[Factor]) -> dict[Label, None]:
    """The labels that the factors bear, in order."""
    return dict.fromkeys(label for f in factors for label in factor_labels(f))
