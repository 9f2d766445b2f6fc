"""Text of what reads and writes at places: running sums, index arrays, one-hot entries."""

from __future__ import annotations

from einsumdiff import plan
from einsumdiff.nodes import Form, Label, bare
from einsumdiff.plan import Expr
from einsumdiff.sizes import AnySize
from einsumdiff.targets.numpy.text import ATOM, POWER, Axes, Text
from einsumdiff.targets.numpy.views import Operands


class Places(Operands):
    def running(self, value: plan.Running, want: Axes) -> Text:
        op, label, place = value.op, value.label, value.place
        inner = self.emit(value.base, tuple(label if n is place else n for n in want))
        k = inner.axes.index(label)
        renamed = tuple(place if n is label else n for n in inner.axes)
        if value.apart or value.reverse:
            self.helpers.add("_running")
            options = ", reverse=True" * value.reverse + ", apart=True" * value.apart
            return Text(f"_running(np.{op}, {inner.text}, {k}{options})", renamed)
        return Text(f"np.cum{op}({inner.text}, axis={k})", renamed)

    def running_at(self, value: plan.RunningAt, want: Axes) -> Text:
        form = value.place
        self.helpers.add("_running_at")
        inner = self.emit(value.base, ())
        k = inner.axes.index(value.label)
        own = tuple(n for n in want if n in form.labels)
        own = own if len(own) == len(form.labels) else form.labels
        places = self.affine(form, own)
        text_ = f"_running_at({inner.text}, {k}, {places}{', reverse=True' * value.reverse})"
        return Text(text_, (*inner.axes[:k], *own, *inner.axes[k + 1 :]))

    def running_others(self, value: plan.RunningOthers) -> Text:
        self.helpers.add("_running_product_of_others")
        inner = self.emit(value.base, ())
        k = inner.axes.index(value.label)
        rest = tuple(n for n in inner.axes if n is not value.label)
        return Text(f"_running_product_of_others({inner.text}, {k})", (*rest, value.other, value.place))

    def taken(self, base: Text, label: Label, index: Expr) -> Text:
        """`x[k]`, `A[:, k]`; where both have an axis, `A[np.arange(m), k]`."""
        k = base.axes.index(label)
        places = self.emit(index, ())
        shared = [n for n in base.axes if n in places.axes]
        if not shared:
            axes = (*base.axes[:k], *places.axes, *base.axes[k + 1 :])
            return Text(f"{base.within(ATOM)}[{':, ' * k}{places.text}]", axes)
        axes = tuple(dict.fromkeys(n for m in base.axes for n in (places.axes if m is label else (m,))))
        items = [
            self.spread(places, axes).text if n is label else self.affine(bare(n), axes) for n in base.axes
        ]
        return Text(f"{base.within(ATOM)}[{', '.join(items)}]", axes)

    def scattered(self, value: plan.Scatter) -> Text:
        self.helpers.add("_add_at")
        places = self.emit(value.index, ())
        order = (*places.axes, *value.axes[1:])
        inner = self.spread(self.emit(value.value, order), order)
        shape = self.shape([n.size for n in value.axes])
        self.typed = True
        return Text(f"_add_at({places.text}, {inner.text}, {shape}, {self.dtype})", value.axes)

    def hot(self, index: Expr, form: Form, size: AnySize) -> Text:
        places = self.emit(index, ())
        label = form.label
        self.typed = True
        if label is None or label in places.axes or label.size != size:
            axes = tuple(dict.fromkeys((*places.axes, *form.labels)))
            spread = self.spread(places, axes).within(POWER)
            test = f"{spread} % {self.size(size, POWER)} == {self.affine(form, axes)}"
            return Text(f"({test}).astype({self.dtype})", axes)
        self.helpers.add("_one_hot")
        text = f"_one_hot({places.text}, {self.size(label.size)}, {self.dtype})"
        return Text(text, (*places.axes, label))
