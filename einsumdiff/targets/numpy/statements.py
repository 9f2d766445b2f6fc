"""Text of statements: assignments, zeros and what is written into them, loops, given buffers."""

from __future__ import annotations

from collections.abc import Sequence

from einsumdiff import plan
from einsumdiff.nodes import Label
from einsumdiff.plan import Expr
from einsumdiff.sizes import Size
from einsumdiff.targets.numpy.expressions import Expressions, constant
from einsumdiff.targets.numpy.text import ATOM, POWER, PRODUCT, Axes, Text, number, quoted, unbracketed


class Statements(Expressions):
    def statement(self, statement: plan.Statement) -> list[str]:
        match statement:
            case plan.Assign(name, plan.Choose(condition, chosen, rest), axes):
                test = unbracketed(self.assigned(condition, axes, False))
                return [f"{name} = {self.assigned(rest, axes, False)}", f"{name}[{test}] = {number(chosen)}"]
            case plan.Assign(name, value, axes, own, shown):
                text = self.assigned(value, axes, own)
                if shown and _shares(value):
                    self.helpers.add("_read_only")
                    text = f"_read_only({text})"
                return [f"{name} = {text}"]
            case plan.Zeros(name, shape):
                self.typed = True
                return [f"{name} = np.zeros({self.shape(shape)}, {self.dtype})"]
            case plan.Write():
                line = self._written(statement)
                if not statement.apart or not _writes_an_end(statement):
                    return [line]
                return [f"if {statement.name}.size:", f"    {line}"]
            case plan.Loop(name, size, inner):
                self.loops.add(name)
                lines = [f"for {name} in range({self.size(size)}):"]
                for one in inner:
                    lines += ["    " + line for line in self.statement(one)]
                return lines
            case plan.Buffer():
                return self._into_buffer(statement)
            case plan.Copy(name):
                return [f"{name} = {name}.copy()"]
            case plan.Store() | plan.Operator():
                raise AssertionError("a form that is not dense")

    def _into_buffer(self, buffer: plan.Buffer) -> list[str]:
        """Zeros, unless they are there: then those places are zeroed that are added to later on."""
        name, lines = buffer.name, []
        lines.append(f"{name} = out{'' if buffer.key is None else f'[{quoted(buffer.key)}]'}")
        writes = [one for one in buffer.body if isinstance(one, plan.Write)]
        loops = any(isinstance(one, plan.Loop) for one in buffer.body)
        for one in buffer.body:
            match one:
                case plan.Assign(own, value, axes) if own == name:
                    lines.append(f"{name}[...] = {self.assigned(value, axes, False)}")
                case plan.Zeros():
                    if loops or not all(write.apart for write in writes):
                        lines.append(f"{name}[...] = 0")
                        continue
                    lines += ["if not out_is_zero:", f"    {name}[...] = 0"]
                    added = [self._target(write)[0] for write in writes if not write.first]
                    if added:
                        lines += ["else:", *(f"    {target} = 0" for target in added)]
                case _:
                    lines += self.statement(one)
        return lines

    def assigned(self, value: Expr, axes: Sequence[Label | None], own: bool) -> str:
        labels = tuple(label for label in axes if label is not None)
        text = self.emit(value, labels)
        ordered = self.arranged(text, tuple(label for label in labels if label in text.axes))
        fixed = constant(value)
        if ordered.axes == labels and len(labels) == len(axes):
            if fixed:
                return self._filled(value, f"{self.dtype}.type(", ")")
            return f"np.array({ordered.text})" if own and _shares(value) else ordered.text
        shape = self.shape([1 if label is None else label.size for label in axes])
        if fixed:
            return self._filled(value, f"np.full({shape}, ", f", {self.dtype})")
        if ordered.axes == labels:
            text_ = f"{ordered.within(ATOM)}.reshape({shape})"
            return f"np.array({text_})" if own and _shares(value) else text_
        spread = self.spread(ordered, labels)
        if len(labels) < len(axes):
            kept = [1 if n is None or n not in ordered.axes else n.size for n in axes]
            spread = Text(f"{ordered.within(ATOM)}.reshape({self.shape(kept)})", labels)
        return f"np.full({shape}, {spread.text})" if own else f"np.broadcast_to({spread.text}, {shape})"

    def _filled(self, value: Expr, before: str, after: str) -> str:
        """A constant array; it is divided as an array, so that a size of 0 divides nothing."""
        self.typed = True
        below, sign = [], 1
        while isinstance(value, plan.Divide) or (isinstance(value, plan.Add) and len(value.terms) == 1):
            if isinstance(value, plan.Divide):
                below.append(self.emit(value.right, ()).within(POWER))
                value = value.left
            else:
                ((one, value),) = value.terms
                sign *= one
        above = self.emit(value, ())
        text = above.text if sign > 0 else f"-{above.within(PRODUCT)}"
        return "/".join([f"{before}{text}{after}", *below[::-1]])

    def _written(self, write: plan.Write) -> str:
        text = self.emit(write.value, write.labels)
        if not write.apart:
            self.helpers.add("_scatter")
            places = ", ".join(self.affine(form, write.labels) for form in write.forms)
            return f"_scatter({write.name}, {self.spread(text, write.labels).text}, {places})"
        target, axes = self._target(write)
        value = self.spread(text, axes)
        return f"{target} {'=' if write.first else '+='} {value.text}"

    def _target(self, write: plan.Write) -> tuple[str, Axes]:
        """The view that is written, as it stands on the left of `=`."""
        view = self.view(write.name, write.forms, write.shape)
        whole = view.text.endswith("]") and not view.text.startswith("np.")
        return view.text if whole else f"{view.text}[...]", view.axes


def _shares(value: Expr) -> bool:
    """May the value be a variable, or share its memory?"""
    return isinstance(value, plan.Load | plan.View)


def _writes_an_end(write: plan.Write) -> bool:
    """Whether it writes at a number along an axis that may be empty."""
    return any(
        not form.coefficients and isinstance(size, Size)
        for form, size in zip(write.forms, write.shape, strict=True)
    )
