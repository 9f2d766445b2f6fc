"""Text of views in NumPy: slices, diagonals, windows, and gathers where no view can be proved."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence

from einsumdiff.nodes import Form, Label, bare
from einsumdiff.plan import Expr
from einsumdiff.sizes import AnySize, names
from einsumdiff.targets.numpy.text import ATOM, PRODUCT, SIGN, SUM, Axes, Text, level_of, negative, tuple_of
from einsumdiff.terms import strides

LETTERS = "ijklmnpqrstuvwxyzabcdefghoIJKLMNPQRSTUVWXYZABCDEFGHO"


class Views:
    """Writes views, and notes which sizes and helpers the text needs."""

    def __init__(self) -> None:
        self.sizes: set[str] = set()
        self.helpers: set[str] = set()
        self.loops: set[str] = set()

    def size(self, size: AnySize, level: int = SUM) -> str:
        if isinstance(size, int):
            return str(size) if size >= 0 or level >= SIGN else f"({size})"
        self.sizes.update(name for name in names(size) if name not in self.loops)
        return f"({size})" if level_of(size) > level else str(size)

    def shape(self, shape: Sequence[AnySize]) -> str:
        return tuple_of(self.size(s) for s in shape)

    def einsum(self, parts: Sequence[Text], axes: Axes, repeated: Sequence[Axes] | None = None) -> Text:
        labels = list(dict.fromkeys(n for part in repeated or [p.axes for p in parts] for n in part))
        letter: dict[Label, str] = {}
        free = [one for one in LETTERS if one not in {n.name for n in labels}]
        for n in labels:
            if n.name and len(n.name) == 1 and n.name.isascii() and n.name not in letter.values():
                letter[n] = n.name
            else:
                letter[n] = free.pop(0)
        inputs = ",".join("".join(letter[n] for n in part) for part in repeated or [p.axes for p in parts])
        output = "".join(letter[n] for n in axes)
        return Text(f'np.einsum("{inputs}->{output}", {", ".join(p.text for p in parts)})', axes)

    # -- views ------------------------------------------------------------------------------------------

    def view(self, name: str, forms: Sequence[Form], shape: Sequence[AnySize]) -> Text:
        """A view with an axis for every label; all places are proved to be in bounds."""
        name, forms, shape = self._regrouped(name, forms, shape)
        if all(len(form.coefficients) <= 1 for form in forms):
            items = [self._slice(form, size) for form, size in zip(forms, shape, strict=True)]
            all_items = tuple(items)
            backwards = any(item.endswith("[::-1]") for item in items)
            while items and items[-1] == ":":
                items.pop()
            text = name
            if items:
                text += f"[{', '.join(item.removesuffix('[::-1]') for item in items)}]"
            labels = tuple(form.labels[0] for form in forms if form.coefficients)
            if backwards:
                turned = [
                    "::-1" if item.endswith("[::-1]") else ":"
                    for item, f in zip(all_items, forms, strict=True)
                    if f.coefficients
                ]
                text += f"[{', '.join(turned)}]"
            if len(set(labels)) == len(labels):
                return Text(text, labels)
            axes = tuple(dict.fromkeys(labels))
            return self.einsum([Text(text, labels)], axes, [labels])
        self.helpers.add("_strided")
        axes = tuple(dict.fromkeys(n for form in forms for n in form.labels))
        start = tuple_of(self.size(form.constant) for form in forms)
        steps = tuple_of(tuple_of(self.size(dict(f.coefficients).get(n, 0)) for f in forms) for n in axes)
        return Text(f"_strided({name}, {start}, {self.shape([n.size for n in axes])}, {steps})", axes)

    def _regrouped(
        self, name: str, forms: Sequence[Form], shape: Sequence[AnySize]
    ) -> tuple[str, list[Form], list[AnySize]]:
        """An axis that several labels count through, `i*n + j`, is made an axis for each of them."""
        new_forms: list[Form] = []
        new_shape: list[AnySize] = []
        for form, size in zip(forms, shape, strict=True):
            labels = strides(form.coefficients) if len(form.coefficients) > 1 else None
            if labels is None or form.constant != 0 or volume([n.size for n in labels]) != size:
                new_forms.append(form)
                new_shape.append(size)
            else:
                new_forms += [bare(label) for label in labels]
                new_shape += [label.size for label in labels]
        if len(new_forms) == len(forms):
            return name, list(forms), list(shape)
        return f"{name}.reshape({self.shape(new_shape)})", new_forms, new_shape

    def _slice(self, form: Form, size: AnySize) -> str:
        if not form.coefficients:
            return self.size(form.constant)
        ((label, c),) = form.coefficients
        start = form.constant
        if c == 1:
            if start == 0 and label.size == size:
                return ":"
            stop = start + label.size
            return f"{self.size(start) if start != 0 else ''}:{'' if stop == size else self.size(stop)}"
        if c == -1 and start == size - 1 and label.size == size:
            return "::-1"
        if isinstance(c, int) and c < 0 and isinstance(start, int) and isinstance(label.size, int):
            end = start + c * label.size
            if label.size > 0:
                return f"{start}:{end if end >= 0 else ''}:{c}"
        if negative(c):  # sizes may be 0: a slice forwards that is turned round is right for those too
            low, stop = start + c * (label.size - 1), start + 1
            step = "" if c == -1 else f":{self.size(-c)}"
            whole = low == 0 and stop == size
            head = "" if low == 0 else self.size(low)
            return f"{head}:{'' if whole or stop == size else self.size(stop)}{step}[::-1]"
        stop = start + c * label.size
        return f"{self.size(start) if start != 0 else ''}:{self.size(stop)}:{self.size(c)}"

    def gather(self, name: str, forms: Sequence[Form]) -> Text:
        """The entries at places that are not all proved to be in bounds."""
        self.helpers.add("_gather")
        axes = tuple(dict.fromkeys(n for form in forms for n in form.labels))
        places = ", ".join(self.affine(form, axes) for form in forms)
        return Text(f"_gather({name}, {places})", axes)

    def affine(self, form: Form, axes: Axes) -> str:
        """The values of a form as an array over the axes."""
        text = ""
        for label, c in form.coefficients:
            after = len(axes) - axes.index(label) - 1
            part = f"np.arange({self.size(label.size)})" + (f"[:{', None' * after}]" if after else "")
            sign, factor = ("-", -c) if negative(c) else ("+", c)
            if factor != 1:
                part = f"{self.size(factor, ATOM)}*{part}"
            text += f" {sign} {part}" if text else f"-{part}" if sign == "-" else part
        if form.constant != 0 or not text:
            if isinstance(form.constant, int) and form.constant < 0 and text:
                text += f" - {-form.constant}"
            else:
                text += (" + " if text else "") + self.size(form.constant, PRODUCT)
        return text


class Operands(Views):
    """Lays operands out: what a writer of any expression starts from."""

    def __init__(self, taken: Collection[str]) -> None:
        super().__init__()
        self.holds = False  # is the workspace read?
        self.typed = False  # is the type of numbers asked for?
        self.known: Mapping[str, int] = {}  # what names of sizes will be about
        self.paneled: Mapping[str, int] = {}  # the same, where panels may be copied
        self.dtype = next(name for name in ("dtype", "dtype_", "kind_") if name not in taken)

    @abstractmethod
    def emit(self, value: Expr, want: Axes) -> Text:
        """The text of an expression, its axes in the wanted order where that costs nothing."""

    def arranged(self, text: Text, axes: Axes) -> Text:
        """The same array with its axes in this order: a view."""
        if text.axes == axes:
            return text
        order = [text.axes.index(label) for label in axes]
        if len(order) == 2:
            return Text(f"{text.within(ATOM)}.T", axes)
        moved = [k for k, place in enumerate(order) if k != place]
        if len(moved) == 2:
            return Text(f"{text.within(ATOM)}.swapaxes({moved[0]}, {moved[1]})", axes)
        return Text(f"{text.within(ATOM)}.transpose({', '.join(map(str, order))})", axes)

    def spread(self, text: Text, axes: Axes) -> Text:
        """The array in this order, with a new axis where it lacks one that broadcasting does not add."""
        kept = tuple(label for label in axes if label in text.axes)
        text = self.arranged(text, kept)
        if not kept:
            return text
        first = axes.index(kept[0])
        if axes[first:] == kept:
            return text
        items = [":" if label in kept else "None" for label in axes[first:]]
        while items[-1] == ":" and len(items) > 1 and "None" not in items[-1:]:
            if all(item == ":" for item in items):
                break
            items.pop()
        return Text(f"{text.within(ATOM)}[{', '.join(items)}]", axes[first:])

    def by_panels(self, function: str, a: Text, b: Text, out: str = "") -> Text:
        """A function of two matrices that lie in memory the other way round."""
        self.helpers.add("_by_panels")
        last = f", out={out}" if out else ""
        return Text(f"_by_panels(np.{function}, {a.text}, {b.text}{last})", a.axes)

    def operands(self, parts: Sequence[Expr], axes: Axes) -> list[Text]:
        """The parts, ready to be broadcast against each other; one of them spans all axes or nobody does."""
        return [self.spread(self.emit(part, axes), axes) for part in parts]


def volume(sizes: Sequence[AnySize]) -> AnySize:
    total: AnySize = 1
    for size in sizes:
        total = total * size
    return total


def ordered(axes: Axes, want: Axes) -> Axes:
    """The axes, those that are wanted in the wanted order."""
    chosen = [label for label in want if label in axes]
    if len(chosen) == len(axes):
        return tuple(chosen)
    if not chosen:
        return axes
    return (*chosen, *(label for label in axes if label not in chosen))
