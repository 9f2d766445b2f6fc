"""Text of statements: assignments, zeros and what is written into them, loops, given buffers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction

from einsumdiff import plan
from einsumdiff.nodes import Label
from einsumdiff.passes.kinds import in_place
from einsumdiff.passes.panels import crossing
from einsumdiff.plan import Expr
from einsumdiff.targets.numpy.expressions import Expressions, constant
from einsumdiff.targets.numpy.flat import Run, run
from einsumdiff.targets.numpy.text import (
    ATOM,
    POWER,
    PRODUCT,
    Axes,
    Text,
    number,
    quoted,
    tuple_of,
    unbracketed,
)

PANELED = {"add", "subtract", "multiply"}
"""Functions whose result has the type to which their operands promote."""


class Statements(Expressions):
    def __init__(self, taken: Collection[str]) -> None:
        super().__init__(taken)
        self.fresh: set[str] = set()  # arrays that were made here, and are contiguous
        self.zeros: set[str] = set()  # those that were made of zeros, and hold the type of all arguments
        self.store, self.hold = "workspace", "hold"  # where arrays are kept, and what gets them from there

    def statement(self, statement: plan.Statement) -> list[str]:
        match statement:
            case plan.Assign(name, plan.Choose(condition, chosen, rest), axes):
                test = unbracketed(self.assigned(condition, axes, False))
                if _in_order(rest):
                    self.fresh.add(name)
                return [f"{name} = {self.assigned(rest, axes, False)}", f"{name}[{test}] = {number(chosen)}"]
            case plan.Assign(name, value, axes, own) if statement.ends:
                there = " and ".join(self.size(size, ATOM) for size in statement.ends)
                return [f"{name} = {self.assigned(value, axes, own)} if {there} else np.zeros(0)"]
            case plan.Assign(name, value, axes, own, shown):
                text = self.assigned(value, axes, own)
                if shown and _shares(value):
                    return self._read_only(name, text, bool(axes))
                if None not in axes and not _shares(value) and _in_order(value):
                    self.fresh.add(name)
                return [f"{name} = {text}"]
            case plan.Into():
                return [self._over(statement)]
            case plan.Keep():
                return self._kept(statement)
            case plan.Drop(name):
                return [f"del {name}"]
            case plan.Zeros(name, shape):
                self.typed = True
                self.fresh.add(name)
                self.zeros.add(name)
                return [f"{name} = np.zeros({self.shape(shape)}, {self.dtype})"]
            case plan.Write():
                line = self._written(statement)
                if not statement.at_an_end:
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
            case plan.Blocked():
                return self._by_blocks(statement)
            case plan.Copy(name):
                return [f"{name} = {name}.copy()"]
            case plan.Store() | plan.Operator():
                raise AssertionError("a form that is not dense")

    def _read_only(self, name: str, text: str, an_array: bool) -> list[str]:
        """A view that cannot be written into, and is not the caller's own object."""
        if not an_array:  # it may be a number of Python's
            self.helpers.add("_read_only")
            return [f"{name} = _read_only({text})"]
        view = f"{text}[...]" if text.isidentifier() else text
        return [f"{name} = {view}", f"{name}.setflags(False)"]

    def _over(self, into: plan.Into) -> str:
        """An operation that is written over a variable: `t *= x` where it keeps its name."""
        paneled = crossing(plan.parts(into.value), into.axes, self.paneled)
        text = self._augmented(into) if into.name == into.buffer and not paneled else None
        if text is not None:
            return text
        call = self._by_entries(into.value, into.axes, into.buffer)
        return call if into.name == into.buffer else f"{into.name} = {call}"

    def _by_entries(self, value: Expr, axes: Axes, out: str) -> str:
        """An operation on entries as a call that writes into an array."""
        match value:
            case plan.Add(((-1, a),), _):
                function, parts = "negative", [a]
            case plan.Add(((1, a), (1, b)), _):
                function, parts = "add", [a, b]
            case plan.Add(((1, a), (-1, b)), _):
                function, parts = "subtract", [a, b]
            case plan.Add(((-1, a), (1, b)), _):
                function, parts = "subtract", [b, a]
            case plan.Multiply(a, b, _):
                function, parts = "multiply", [a, b]
            case plan.Divide(a, b, _):
                function, parts = "divide", [a, b]
            case plan.Power(a, power, _):
                simple = {2: "square", Fraction(1, 2): "sqrt"}.get(power)
                function, parts = simple or "power", [a]
                if simple is None:
                    parts.append(plan.Literal(power))
            case plan.Apply(name, operands, _):
                function, parts = str(in_place(name)), list(operands)
            case _:
                raise AssertionError("no operation on entries")
        laid_out = self.operands(parts, axes)
        if function in PANELED and crossing(parts, axes, self.paneled):
            return self.by_panels(function, laid_out[0], laid_out[1], out).text
        texts = [part.text for part in laid_out]
        return f"np.{function}({', '.join(texts)}, out={out})"

    def _kept(self, keep: plan.Keep) -> list[str]:
        """Written into the array that the workspace has of that name; the first time NumPy makes it."""
        self.holds, name = True, keep.name
        out = f'{self.hold}("{name}")'
        match keep.value:
            case plan.Ones(axes=axes):  # nobody writes over them
                made = f'    {name} = workspace["{name}"] = {self.emit(keep.value, axes).text}'
                return [f"{name} = {out}", f"if {name} is None:", made]
            case plan.Contract():
                text = self.contracted(keep.value, keep.axes, out)
            case plan.Fold(op, base, axes):
                text = self.folded(op, base, axes, keep.axes, out)
            case _:
                text = Text(self._by_entries(keep.value, keep.axes, out), keep.axes)
        if text.axes == keep.axes:
            return [f'{name} = {self.store}["{name}"] = {text.text}']
        held = Text(f'{self.store}["{name}"]', text.axes)
        return [f"{held.text} = {text.text}", f"{name} = {self.arranged(held, keep.axes).text}"]

    def _by_blocks(self, one: plan.Blocked) -> list[str]:
        lines = [line for made in one.made if made.rows is None for line in self._made(made)]
        lines += [f"{name} = 0" for name in one.sums]
        later = [made for made in one.made if made.rows is not None]
        size = self.size(one.size)
        # with no rows at all, one empty block tells the types
        last = f"max({size}, 1)" if one.sums or later else size
        lines.append(f"for {one.start} in range(0, {last}, {one.step}):")
        body = [f"{one.rows} = slice({one.start}, {one.start} + {one.step})"]
        if any(isinstance(inner, plan.Keep) for inner in one.body):
            many = f"min({one.step}, {self.size(one.size)} - {one.start})"
            body.append(f"{one.store} = workspace.setdefault({many}, {{}})")
        body += [f"{part} = {array}[{one.rows}]" for part, array in one.parts]
        around = self.store, self.hold
        self.store, self.hold = one.store, f"{one.store}.get"
        for inner in one.body:
            body += self.statement(inner)
        self.store, self.hold = around
        if later:
            body.append(f"if {one.start} == 0:")
            body += [f"    {line}" for made in later for line in self._made(made)]
            body += [f"{made.name}[{one.rows}] = {made.rows}" for made in later]
        return lines + [f"    {line}" for line in body]

    def _made(self, made: plan.Made) -> list[str]:
        self.fresh.add(made.name)
        if made.rows is not None:
            kind = f"{made.rows}.dtype"
        elif not made.like:
            self.typed, kind = True, self.dtype
        else:
            kind = (
                f"{made.like[0]}.dtype" if len(made.like) == 1 else f"np.result_type({', '.join(made.like)})"
            )
        text = f"np.empty({self.shape(made.shape)}, {kind})"
        if not made.kept:
            return [f"{made.name} = {text}"]
        self.holds = True
        return [
            f'{made.name} = hold("{made.name}")',
            f"if {made.name} is None:",
            f'    {made.name} = workspace["{made.name}"] = {text}',
        ]

    def _augmented(self, into: plan.Into) -> str | None:
        """`t += x`, where the variable is the operand that Python writes over."""

        def is_buffer(one: Expr) -> bool:
            return isinstance(one, plan.Load) and one.name == into.buffer

        match into.value:
            case plan.Add(((1, a), (sign, b)), _) if is_buffer(a):
                op, other = "-" if sign < 0 else "+", b
            case plan.Add(((sign, b), (1, a)), _) if is_buffer(a):
                op, other = "-" if sign < 0 else "+", b
            case plan.Multiply(a, b, _) if is_buffer(a):
                op, other = "*", b
            case plan.Multiply(b, a, _) if is_buffer(a):
                op, other = "*", b
            case plan.Divide(a, b, _) if is_buffer(a):
                op, other = "/", b
            case plan.Power(a, power, _) if power != Fraction(1, 2) and is_buffer(a):
                op, other = "**", plan.Literal(power)
            case _:
                return None
        (text,) = self.operands([other], into.axes)
        return f"{into.buffer} {op}= {text.text}"

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
        text = self.emit(value, self.laid_out(value, labels))
        ordered = self.arranged(text, tuple(label for label in labels if label in text.axes))
        fixed = constant(value)
        if ordered.axes == labels and len(labels) == len(axes):
            if fixed:
                return self._filled(value, f"{self.dtype}.type(", ")")
            if own and isinstance(value, plan.Load) and labels:
                return f"{ordered.within(ATOM)}.copy()"
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
        if write.outer is not None:
            sign, product = write.outer
            view = self.view(write.name, write.forms, write.shape)
            left, right = self.operands([product.left, product.right], view.axes)
            first = left.text if sign > 0 else f"-{left.within(PRODUCT)}"
            return f"np.multiply({first}, {right.text}, out={view.text})"
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
        found = run(write.forms, write.shape) if write.name in self.fresh else None
        if found is not None:
            if len(found.steps) == 1:
                return self._strip(write.name, found)
            if any(len(form.coefficients) > 1 for form in write.forms):
                return self._window(write.name, found)
        view = self.view(write.name, write.forms, write.shape)
        whole = view.text.endswith("]") and not view.text.startswith("np.")
        return view.text if whole else f"{view.text}[...]", view.axes

    def _strip(self, name: str, found: Run) -> tuple[str, Axes]:
        """A slice of the memory: `J.reshape(-1)[::n + 1]`."""
        ((label, step),) = found.steps
        start = "" if found.start == 0 else self.size(found.start)
        stop = "" if found.to_the_end else self.size(found.start + label.size * step)
        return f"{name}.reshape(-1)[{start}:{stop}:{self.size(step)}]", (label,)

    def _window(self, name: str, found: Run) -> tuple[str, Axes]:
        """A window on the memory. One that begins with it is inside even where it is empty."""
        axes = tuple(label for label, _ in found.steps)
        size = f"{name}.itemsize"
        steps = tuple_of(size if step == 1 else f"{size}*{self.size(step, ATOM)}" for _, step in found.steps)
        shape = self.shape([label.size for label in axes])
        if found.start == 0:
            kind = self.dtype if name in self.zeros else f"{name}.dtype"
            return f"np.ndarray({shape}, {kind}, {name}, 0, {steps})[...]", axes
        self.helpers.add("_window")
        return f"_window({name}, {self.size(found.start)}, {shape}, {steps})[...]", axes


def _shares(value: Expr) -> bool:
    """May the value be a variable, or share its memory?"""
    return isinstance(value, plan.Load | plan.View)


def _in_order(value: Expr) -> bool:
    """Whether NumPy makes an array in the order of its axes: of arrays of one axis, by arithmetic.

    The result of operands with more axes takes the order from their memory.
    """
    match value:
        case plan.Multiply() | plan.Divide() | plan.Add() | plan.Power():
            return all(_in_order(part) for part in plan.parts(value))
    return len(value.axes) <= 1
