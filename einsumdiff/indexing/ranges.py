"""The ranges of letters: a plain access gives an index the size of the axis; an index that has affine
accesses too runs from 0 over all values for which every one of them is in bounds.

    Z[i] = X[i+m]*W[m]     m runs over the size k of W, i over n - k + 1
    d[i] = x[i+1] - x[i]   i runs over n - 1
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NoReturn

from einsumdiff.errors import IndexFault, ShapeFault, Span
from einsumdiff.indexing.expression import Access, Affine, Delta, Index, Line
from einsumdiff.indexing.shapes import Sizes
from einsumdiff.sizes import AnySize, nonnegative


def size_of_index(index: Index) -> AnySize:
    """The size of an index whose range is found."""
    assert index.size is not None
    return index.size


class Ranges:
    """The ranges of the letters of one statement."""

    def __init__(self, sizes: Sizes, show: Callable[[Iterable[AnySize]], str], line: Line) -> None:
        self.sizes, self.show, self.line = sizes, show, line
        self.plain: dict[Index, tuple[AnySize, Span]] = {}
        self.bounds: dict[Index, list[tuple[AnySize, Span]]] = {}
        self.affine: list[tuple[Affine, AnySize, Access]] = []

    def find(self) -> None:
        """Give every letter its size, and check that accesses are in bounds."""
        self._collect()
        self._deltas()
        declared = self._declared()
        for index in self.line.indices:
            self._own(index, declared.get(index))
        waiting = [index for index in self.line.indices if index.size is None]
        while waiting:
            found = [index for index in waiting if self._from_sums(index, declared.get(index))]
            if not found:  # the left side says what no access does, and may settle the others
                said = [index for index in waiting if index in declared]
                if not said:
                    self._undetermined(waiting[0])
                for index in said:
                    index.size = declared[index]
            waiting = [index for index in waiting if index.size is None]
        for form, size, access in self.affine:
            self._check(form, size, access)
        for index, size in declared.items():
            if not self.sizes.unify(size_of_index(index), size):
                raise ShapeFault(
                    f"{index.name} runs over {self._name(size_of_index(index))} here, and over "
                    f"{self._name(size)} in the declared left side",
                    index.span or self.line.span,
                    "change the declaration, or the accesses",
                )

    def _name(self, size: AnySize) -> str:
        return self.show([size])[1:-1]

    def _collect(self) -> None:
        for access in self.line.accesses:
            if isinstance(access, Delta):
                continue
            for axis, (form, size) in enumerate(zip(access.items, access.base.shape, strict=True)):
                size = self.sizes.resolve(size)
                index = form.index
                if index is not None:
                    old = self.plain.get(index)
                    if old is None:
                        self.plain[index] = size, access.span
                    elif not self.sizes.unify(old[0], size):
                        raise ShapeFault(
                            f"{index.name} runs over {self._name(old[0])} in {old[1].source} and over "
                            f"{self._name(size)} in {access.span.source}",
                            access.span,
                            f"the shapes must agree along {index.name}",
                        )
                    continue
                if not form.terms:
                    self._constant(form, size, access, axis)
                    continue
                self.affine.append((form, size, access))
                self._in_bounds_at_zero(form, access)
                if len(form.terms) == 1:
                    (index, c), *_ = form.terms
                    if isinstance(c, int) and c > 0:
                        bound = (size - 1 - form.constant) // c + 1
                        self.bounds.setdefault(index, []).append((bound, access.span))
                    elif isinstance(c, int):
                        self.bounds.setdefault(index, []).append((form.constant // -c + 1, access.span))

    def _constant(self, form: Affine, size: AnySize, access: Access, axis: int) -> None:
        """A number in brackets; a negative one counts from the end."""
        if isinstance(form.constant, int) and form.constant < 0:
            form.constant = size + form.constant
        if not nonnegative(form.constant) or not nonnegative(size - 1 - form.constant):
            known = isinstance(size, int)
            raise IndexFault(
                f"{form.span.source} {'is' if known else 'may be'} out of bounds: axis {axis} of "
                f"{access.base.span.source} has size {self._name(size)}",
                form.span,
                "counting starts at 0" if known else "give the size as a number, shapes= or a declaration",
            )

    def _in_bounds_at_zero(self, form: Affine, access: Access) -> None:
        low: AnySize = form.constant
        for _, c in form.terms:
            if not isinstance(c, int) or c < 0:
                return
        if isinstance(low, int) and low < 0:
            letter = form.terms[0][0].name
            raise IndexFault(
                f"{access.span.source} is out of bounds at {letter} = 0",
                form.span,
                f"shift every access by {-low}: {self._shifted(form.terms[0][0], -low)}",
            )

    def _shifted(self, index: Index, by: int) -> str:
        """The right side with `index + by` for the index."""
        text = self.line.value.span
        pieces, at = [], text.start
        seen = []
        for access in self.line.accesses:
            items = (access.left, access.right) if isinstance(access, Delta) else access.items
            seen += [item for item in items if any(one is index for one, _ in item.terms)]
        for item in sorted(seen, key=lambda item: item.span.start):
            shifted = Affine(item.terms, item.constant + by * dict(item.terms)[index], item.span)
            pieces += [text.text[at : item.span.start], spelled(shifted)]
            at = item.span.stop
        return "".join(pieces) + text.text[at : text.stop]

    def _deltas(self) -> None:
        """The two letters of a delta run over the same range: what one lacks, the other says."""
        for delta in self.line.accesses:
            if not isinstance(delta, Delta) or delta.op != "==":
                continue
            i, j = delta.left.index, delta.right.index
            if i is None or j is None:
                continue
            a, b = self.plain.get(i), self.plain.get(j)
            if a is None or b is None:
                self._share(i, j)
            elif not self.sizes.unify(a[0], b[0]) and i not in self.bounds and j not in self.bounds:
                raise ShapeFault(
                    f"{i.name} runs over {self._name(a[0])} and {j.name} over {self._name(b[0])}",
                    delta.span,
                    "the two indices of a delta have one range",
                )

    def _share(self, i: Index, j: Index) -> None:
        """What the accesses of one letter say of its range holds for another, of which they say less."""
        for one, other in ((i, j), (j, i)):
            shifted = any(one is index for form, _, _ in self.affine for index, _ in form.terms)
            if other in self.plain and one not in self.plain:
                self.plain[one] = self.plain[other]
            elif other not in self.bounds or one in self.plain or shifted:
                continue
            self.bounds.setdefault(one, []).extend(self.bounds.get(other, ()))
            return

    def _declared(self) -> dict[Index, AnySize]:
        target = self.line.target
        if target is None or target.declared is None or self.line.left is None:
            return {}
        return dict(zip(self.line.left, target.declared, strict=True))

    def _own(self, index: Index, declared: AnySize | None) -> None:
        """The range from plain accesses and from affine ones that bear no other letter."""
        plain, bounds = self.plain.get(index), self.bounds.get(index, [])
        if plain is None and not bounds:
            return
        if plain is not None and not bounds:
            if declared is not None and not self.sizes.unify(plain[0], declared):
                target = self.line.target
                assert target is not None
                raise ShapeFault(
                    f"{index.name} runs over {self._name(plain[0])} in {plain[1].source}, and {target.name} "
                    f"is {target.source} with {self._name(declared)}",
                    plain[1],
                    "change the declaration, or the accesses",
                )
            index.size = self.sizes.resolve(plain[0])
            return
        candidates = [*([plain] if plain else []), *bounds]
        least = candidates[0]
        for other in candidates[1:]:
            a, b = self.sizes.resolve(least[0]), self.sizes.resolve(other[0])
            if nonnegative(a - b):
                least = other
            elif not nonnegative(b - a):
                if declared is not None:
                    index.size = declared
                    return
                raise IndexFault(
                    f"the range of {index.name} is not determined: {least[1].source} allows "
                    f"{self._name(a)} values, {other[1].source} {self._name(b)}",
                    other[1],
                    "declare the shapes",
                )
        index.size = self.sizes.resolve(least[0])
        if plain is None and declared is not None and nonnegative(index.size - self.sizes.resolve(declared)):
            index.size = declared

    def _from_sums(self, index: Index, declared: AnySize | None) -> bool:
        """The range from accesses whose other letters are known: `X[i+m]` with m known.

        It is what is declared where that is less.
        """
        best: AnySize | None = None
        for form, size, access in self.affine:
            terms = dict(form.terms)
            if index not in terms:
                continue
            others = [(one, c) for one, c in form.terms if one is not index]
            if any(one.size is None for one, _ in others):
                return False
            c = terms[index]
            if not isinstance(c, int) or c <= 0 or not all(isinstance(d, int) and d >= 0 for _, d in others):
                return False
            room = self.sizes.resolve(size) - 1 - form.constant
            for one, d in others:
                room = room - d * (size_of_index(one) - 1)
            bound = room // c + 1
            if best is None or nonnegative(best - bound):
                best = bound
            elif not nonnegative(bound - best):
                raise IndexFault(
                    f"the range of {index.name} is not determined: it could be {self._name(best)} or "
                    f"{self._name(bound)}",
                    access.span,
                    "declare the shapes",
                )
        if best is None:
            return False
        fits = declared is not None and nonnegative(best - self.sizes.resolve(declared))
        index.size = declared if fits else best
        return True

    def _undetermined(self, index: Index) -> NoReturn:
        bearing = [a for f, _, a in self.affine if any(one is index for one, _ in f.terms)]
        if not bearing and index not in (self.line.left or ()):
            raise IndexFault(
                f"the range of {index.name} is not determined: no array has it",
                index.span or self.line.span,
                f"a delta has no range of its own: index an array with {index.name}, or write eye(n)",
            )
        if not bearing:
            name = self.line.target.name if self.line.target else "the left side"
            raise IndexFault(
                f"{index.name} is on the left side, and the right side does not bind it",
                index.span or self.line.span,
                f"declare the shape of {name}: the value then repeats along {index.name}",
            )
        letters = ",".join(one.name for one in self.line.left or ())
        target = self.line.target.name if self.line.target else "Z"
        raise IndexFault(
            f"the range of {index.name} is not determined by {bearing[0].span.source}",
            bearing[0].span,
            f"declare the shape of {target}[{letters}]"
            if index in (self.line.left or ())
            else f"declare the shapes, or access something with {index.name} alone",
        )

    def _check(self, form: Affine, size: AnySize, access: Access) -> None:
        """Whether the access is in bounds for all values of its letters."""
        low = high = form.constant
        for index, c in form.terms:
            span = c * (self.sizes.resolve(size_of_index(index)) - 1)
            if nonnegative(c):
                high = high + span
            else:
                low = low + span
        size = self.sizes.resolve(size)
        if not nonnegative(low):
            raise IndexFault(
                f"{access.span.source} can be out of bounds: {form.span.source} goes down to "
                f"{self._name(low)}",
                form.span,
                "shift it, or declare the shapes",
            )
        facts = tuple(self.sizes.resolve(size_of_index(index)) - 1 for index, _ in form.terms)
        if not nonnegative(size - 1 - high, facts):
            raise IndexFault(
                f"{access.span.source} can be out of bounds: {form.span.source} goes up to "
                f"{self._name(high)}, and the axis has size {self._name(size)}",
                form.span,
                "declare the shapes, so that it is known to fit",
            )


def spelled(form: Affine) -> str:
    """An affine form as it is typed: `2*i + j - 1`."""
    text = ""
    for index, c in form.terms:
        sign = "-" if isinstance(c, int) and c < 0 else "+"
        size = abs(c) if isinstance(c, int) else c
        text += (f"{sign}" if text or sign == "-" else "") + (
            index.name if size == 1 else f"{size}*{index.name}"
        )
    if form.constant != 0 or not text:
        negative = isinstance(form.constant, int) and form.constant < 0
        text += (f"{form.constant}" if negative else f"+{form.constant}") if text else f"{form.constant}"
    return text
