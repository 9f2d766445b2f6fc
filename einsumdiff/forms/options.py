"""What may be asked of a generated function."""

from __future__ import annotations

from dataclasses import dataclass

from einsumdiff.errors import Unsupported, ValueFault, nearest

NAMES = {
    "dense": (),
    "sparse": ("Core", "sparse"),
    "operator": ("LinearOperator", "matvec", "rmatvec", "matmat", "rmatmat"),
    "compressed": ("Core", "Compressed"),
}
"""What has a name of its own in the source of each form."""

JIT = ("numba", "math", "functools", "range", "min", "max", "loops", "parallel")
"""What has a name of its own in loops."""

FORMS = tuple(NAMES)


@dataclass(frozen=True, slots=True)
class Options:
    """See `Compiled.compile`.

    Raises Unsupported for a target that is not there, ValueFault for what does not go together.
    """

    target: str = "numpy"
    form: str = "dense"
    value: bool = False
    copy: bool = True
    out: bool = False
    as_matrix: bool = False
    sizes: tuple[tuple[str, int], ...] = ()
    expand: bool = False
    jit: str | None = None
    by_cost: bool = True
    """Whether sums are multiplied out where that costs less; False for tests, which compare the two."""
    in_place: bool = True
    """Whether arrays that nobody reads any more are written over; False for tests, and for other targets."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that nothing else may have in the source."""
        return *NAMES[self.form], *(("out", "out_is_zero") if self.out else ()), *(JIT if self.jit else ())

    def __post_init__(self) -> None:
        if self.target != "numpy":
            raise Unsupported(f"the target {self.target!r} is not there yet", None, 'the target is "numpy"')
        if self.form not in FORMS:
            near = nearest(str(self.form), FORMS) or FORMS
            known = " or ".join(f'form="{one}"' for one in near)
            raise ValueFault(f"there is no form {self.form!r}", None, f"write {known}")
        if self.jit not in (None, "numba"):
            raise ValueFault(f"there is no jit {self.jit!r}", None, 'write jit="numba"')
        if self.jit and (self.form != "dense" or self.out):
            asked = "a buffer out=" if self.form == "dense" else f"the {self.form} form"
            raise ValueFault(f"jit= is for new dense arrays, and this is {asked}", None, "leave jit= out")
        if self.as_matrix and self.form != "sparse":
            raise ValueFault(
                f"as_matrix= is of the sparse form, and this is {self.form}", None, 'ask for form="sparse"'
            )
        if self.out and self.form != "dense":
            raise ValueFault(
                f"out= is a buffer for the dense form, and this is {self.form}", None, "leave out= out"
            )
        if self.out and not self.copy:
            raise ValueFault("copy=False returns no buffer, and out= does", None, "leave one of them out")
        if self.expand and self.form != "dense":
            raise ValueFault(
                f"expand= is of the dense form, and this is {self.form}", None, "leave expand= out"
            )
