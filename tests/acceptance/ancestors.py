"""The rules of differentiation that XDiff.jl and XGrad.jl have, in this project's language, as rows.

A row is: its number, the program, the name to differentiate by, the shapes, the program as a plain NumPy
function, and what the ancestor's rule says. XDiff's are derivatives, axes of the output first (X: scalar
rules, lifted to arrays by a delta for each axis; T: tensor rules). XGrad's (G) turn `ds`, the slope of a
loss in the output, into its slope in the argument. Where an ancestor's rule is wrong, the row has the right one.
Julia's `R` is a number, `A` an array, `V` a vector, `M` a matrix; a `V` meets an `M` as a column.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy import cos, cosh, einsum, exp, expm1, log, log1p, ones, sign, sin, sinh, sqrt, tan, tanh, zeros
from numpy.lib.stride_tricks import sliding_window_view
from scipy import special

I = np.eye
Shape = tuple[int, ...]
Function = Callable[..., object]

NUMBER, ARRAY = (), (2, 3)


@dataclass(frozen=True)
class Rule:
    number: str
    program: str
    wrt: str
    shapes: dict[str, Shape]
    value: Function
    rule: Function
    domain: str | dict[str, str] = "real"


# ------------------------------------------------------------------- functions of one argument

# name, NumPy's function, slope, domain, number of XDiff's row, numbers of XGrad's rows for R and A
UNARY = [
    ("-x", np.negative, lambda x: -1.0, "real", "X1", "G66", "G67"),
    ("sin(x)", sin, cos, "real", "X30", "G100", "G101"),
    ("cos(x)", cos, lambda x: -sin(x), "real", "X31", "G102", "G103"),
    ("tan(x)", tan, lambda x: 1 + tan(x) ** 2, "unit", "X32", "G104", "G105"),
    ("sinh(x)", sinh, cosh, "real", "X33", "G106", "G107"),
    ("cosh(x)", cosh, sinh, "real", "X34", "G108", "G109"),
    ("tanh(x)", tanh, lambda x: 1 - tanh(x) ** 2, "real", "X35", "G110", "G111"),
    ("asin(x)", np.arcsin, lambda x: 1 / sqrt(1 - x**2), "unit", "X36", "G112", "G113"),
    # XDiff has no minus sign
    ("acos(x)", np.arccos, lambda x: -1 / sqrt(1 - x**2), "unit", "X37", "G114", "G115"),
    ("atan(x)", np.arctan, lambda x: 1 / (1 + x**2), "real", "X38", "G116", "G117"),
    ("sqrt(x)", sqrt, lambda x: 0.5 / sqrt(x), "positive", "X39", "G50", "G51"),
    ("exp(x)", exp, exp, "real", "X40", "G94", "G95"),
    ("log(x)", log, lambda x: 1 / x, "positive", "X41", "G92", "G93"),
    # XDiff has sign(x)*x
    ("abs(x)", np.abs, sign, "nonzero", "X42", "G127", ""),
    # XDiff has 2*abs(x)*sign(x)*x
    ("abs2(x)", np.square, lambda x: 2 * x, "real", "X43", "G128", ""),
    ("sign(x)", sign, lambda x: 0.0, "nonzero", "X48", "G14", ""),
    ("log1p(x)", log1p, lambda x: 1 / (1 + x), "unit", "", "G96", "G97"),
    ("expm1(x)", expm1, lambda x: 1 + expm1(x), "real", "", "G98", "G99"),
    ("round(x)", np.round, lambda x: 0.0, "real", "", "G118", "G119"),
    ("floor(x)", np.floor, lambda x: 0.0, "real", "", "G120", "G121"),
    ("ceil(x)", np.ceil, lambda x: 0.0, "real", "", "G122", "G123"),
    ("trunc(x)", np.trunc, lambda x: 0.0, "real", "", "G124", "G125"),
    ("mod(x, 2*pi)", lambda x: np.mod(x, 2 * np.pi), lambda x: 1.0, "nonzero", "", "G126", ""),
    ("erf(x)", special.erf, lambda x: 2 / sqrt(np.pi) * exp(-(x**2)), "real", "", "G191", "G192"),
    ("erfc(x)", special.erfc, lambda x: -2 / sqrt(np.pi) * exp(-(x**2)), "real", "", "G193", "G194"),
    (
        "gamma(x)",
        special.gamma,
        lambda x: special.digamma(x) * special.gamma(x),
        "positive",
        "",
        "G195",
        "G196",
    ),
    ("lgamma(x)", special.gammaln, special.digamma, "positive", "", "G197", "G198"),
]


def unary() -> Iterator[Rule]:
    for text, value, slope, domain, lifted, of_number, of_array in UNARY:
        f = lambda x, value=value: value(x)
        if lifted:
            yield Rule(
                lifted, text, "x", {"x": ARRAY}, f, on_diagonal(lambda x, slope=slope: slope(x)), domain
            )
        for number, shape in (of_number, NUMBER), (of_array, ARRAY):
            if number:
                pull = lambda ds, x, slope=slope: slope(x) * ds
                yield Rule(number, text, "x", {"x": shape}, f, pull, domain)


def on_diagonal(partial: Function) -> Function:
    """The derivative of an elementwise function of matrices, one delta for each axis."""
    return lambda **arrays: einsum("ij,im,jn->ijmn", partial(**arrays) * ones(ARRAY), I(2), I(3))


# ------------------------------------------------------------------ functions of two arguments

# text, NumPy's function, partial in x, partial in y, domain
BINARY = {
    "+": ("x + y", lambda x, y: x + y, lambda x, y: 1.0, lambda x, y: 1.0, "real"),
    "-": ("x - y", lambda x, y: x - y, lambda x, y: 1.0, lambda x, y: -1.0, "real"),
    "*": ("x*y", lambda x, y: x * y, lambda x, y: y, lambda x, y: x, "real"),
    "/": ("x/y", lambda x, y: x / y, lambda x, y: 1 / y, lambda x, y: -x / y**2, "nonzero"),
    "^": (
        "x**y",
        lambda x, y: x**y,
        lambda x, y: y * x ** (y - 1),
        lambda x, y: log(x) * x**y,
        {"x": "positive", "y": "real"},
    ),
    "max": ("maximum(x, y)", lambda x, y: np.maximum(x, y), lambda x, y: x > y, lambda x, y: y > x, "real"),
    "min": ("minimum(x, y)", lambda x, y: np.minimum(x, y), lambda x, y: x < y, lambda x, y: y < x, "real"),
    "beta": (
        "beta(x, y)",
        lambda x, y: special.beta(x, y),
        lambda x, y: special.beta(x, y) * (special.digamma(x) - special.digamma(x + y)),
        lambda x, y: special.beta(x, y) * (special.digamma(y) - special.digamma(x + y)),
        "positive",
    ),
    "lbeta": (
        "betaln(x, y)",
        lambda x, y: special.betaln(x, y),
        lambda x, y: special.digamma(x) - special.digamma(x + y),
        lambda x, y: special.digamma(y) - special.digamma(x + y),
        "positive",
    ),
}

# XDiff's rows: the operation, wrt, numbers (a dotted operator is the same one here)
LIFTED = """
* x X2 X4; * y X3 X5; ^ x X6 X8; ^ y X7 X9; / x X10 X12; / y X11 X13; + x X14 X23; + y X15 X24;
- x X25 X27; - y X26 X28; max x X44; max y X45; min x X46; min y X47
"""

# XGrad's rows: the operation, ranks of x and y, wrt, numbers. Its ties give 0 to both: see the tests of ties.
PULLED = """
+ RR x G52 G56; + RR y G54 G61; + AA x G53 G60; + AA y G55 G65; + RA x G57; + RA y G62; + AR x G58; + AR y G63;
+ VM x G59; + MV y G64
- RR x G68 G72; - RR y G70 G77; - AA x G69 G76; - AA y G71 G81; - RA x G73; - RA y G78; - AR x G74; - AR y G79;
- VM x G75; - MV y G80
max RR x G129; max RA x G130; max AR x G131; max AA x G132; max RR y G133; max RA y G134; max AR y G135;
max AA y G136
min RR x G137; min RA x G138; min AR x G139; min AA x G140; min RR y G141; min RA y G142; min AR y G143;
min AA y G144
* RR x G149 G157; * RA x G150 G158; * AR x G151 G159; * VM x G160; * AA x G161; * RR y G153 G162;
* RA y G154 G163; * AR y G155 G164; * MV y G165; * AA y G166
^ RR x G167 G169; ^ RA x G170; ^ AR x G171; ^ AA x G172; ^ RR y G168 G173; ^ AR y G174; ^ RA y G175; ^ AA y G176
/ RR x G177 G181; / AR x G178 G183; / RA x G182; / AA x G184; / RR y G179 G185; / AR y G180 G187; / RA y G186;
/ AA y G188
beta RR x G199; beta AA x G200; beta RR y G201; beta AA y G202
lbeta RR x G203; lbeta AA x G204; lbeta RR y G205; lbeta AA y G206
"""

RANKS = {"R": NUMBER, "A": ARRAY, "V": (2,), "M": ARRAY}


def entries(table: str) -> Iterator[list[str]]:
    for line in table.strip().splitlines():
        yield from (entry.split() for entry in line.strip(" ;").split(";"))


def binary() -> Iterator[Rule]:
    for operation, wrt, *numbers in entries(LIFTED):
        text, value, in_x, in_y, domain = BINARY[operation]
        slope = on_diagonal(in_x if wrt == "x" else in_y)
        for number in numbers:
            yield Rule(number, text, wrt, {"x": ARRAY, "y": ARRAY}, value, slope, domain)
    for operation, ranks, wrt, *numbers in entries(PULLED):
        for number in numbers:
            yield pulled(number, operation, RANKS[ranks[0]], RANKS[ranks[1]], wrt)


def pulled(number: str, operation: str, x: Shape, y: Shape, wrt: str) -> Rule:
    """XGrad's rule for two arguments that broadcast: `ds` times the partial, summed where the argument repeats."""
    text, value, in_x, in_y, domain = BINARY[operation]
    columns = [name for name, shape in (("x", x), ("y", y)) if shape == (2,) and (x, y) != ((2,), (2,))]
    for name in columns:
        text = text.replace(name, f"{name}[:, None]") if len(text) < 6 else text
    partial = in_x if wrt == "x" else in_y

    def raised(x, y):
        return (x[:, None] if "x" in columns else x), (y[:, None] if "y" in columns else y)

    def rule(ds, x, y):
        return summed_to(ds * partial(*raised(x, y)), np.shape(x if wrt == "x" else y), wrt in columns)

    return Rule(number, text, wrt, {"x": x, "y": y}, lambda x, y: value(*raised(x, y)), rule, domain)


def summed_to(slope, shape: Shape, column: bool = False):
    """`slope` summed over the axes along which an array of that shape was repeated."""
    slope = np.asarray(slope)
    if column:
        return slope.sum(axis=1)
    slope = slope.sum(axis=tuple(range(slope.ndim - len(shape))))
    return slope.sum(axis=tuple(k for k, size in enumerate(shape) if size == 1), keepdims=True)


# Where XGrad's rules for two arrays have the wrong shape: any broadcast but a vector's over a matrix' columns.
BROADCASTS = [
    ((3,), (2, 3)),
    ((2, 3), (3,)),
    ((1, 3), (2, 3)),
    ((2, 1), (1, 3)),
    ((2, 5, 3), (3,)),
    ((5, 1), (2, 5, 3)),
]


def broadcast() -> Iterator[Rule]:
    for operation in "+-*/^":
        for x, y in BROADCASTS:
            for wrt in "xy":
                rule = pulled("", operation, x, y, wrt)
                yield Rule(f"{operation} {x} {y}", *list(vars(rule).values())[1:])


# --------------------------------------------------------------------------------- the other rows


def windows(x, m, n):
    return sliding_window_view(x, (m, n))


def correlated(X, W):
    return einsum("ijmn,mn->ij", windows(X, *W.shape), W)


def correlation_in_input(X, W):
    """`W[p-i, q-j]` where that is within W, else 0."""
    out = zeros((X.shape[0] - W.shape[0] + 1, X.shape[1] - W.shape[1] + 1, *X.shape))
    for i, j in np.ndindex(out.shape[:2]):
        out[i, j, i : i + W.shape[0], j : j + W.shape[1]] = W
    return out


def nothing(*wrt: int) -> Function:
    return lambda **arrays: zeros(wrt)


MATRIX = {"X": (2, 3)}
PAIR = {"X": (2, 3), "Y": (2, 3)}
CHAIN = {"X": (2, 3), "Y": (3, 5)}
IMAGE = {"X": (5, 7), "W": (2, 3)}
FOUR = dict.fromkeys("wxyz", ARRAY)
CORRELATION = "Z[i,j] = X[i+m, j+n]*W[m,n]"

# fmt: off
# ruff: noqa: E501
XDIFF = [
    *(Rule(f"X{n}", "x + y + z", wrt, dict.fromkeys("xyz", ARRAY), lambda x, y, z: x + y + z,
           on_diagonal(lambda **a: 1.0)) for n, wrt in zip(count(16), "xyz", strict=False)),
    *(Rule(f"X{n}", "w + x + y + z", wrt, FOUR, lambda w, x, y, z: w + x + y + z,
           on_diagonal(lambda **a: 1.0)) for n, wrt in zip(count(19), "wxyz", strict=False)),
    Rule("X29", "sum(x)", "x", {"x": ARRAY}, lambda x: x.sum(), lambda x: ones(ARRAY)),
    Rule("X49", "x.T", "x", {"x": ARRAY}, lambda x: x.T, lambda x: einsum("in,jm->ijmn", I(3), I(2))),
    Rule("X50", "x.size", "x", {"x": ARRAY}, lambda x: 6.0, nothing(2, 3)),
    Rule("X51", "x.shape[0]", "x", {"x": ARRAY}, lambda x: 2.0, nothing(2, 3)),
    Rule("X52", "x.shape[-1]", "x", {"x": ARRAY}, lambda x: 3.0, nothing(2, 3)),
    Rule("T1", "Z[j] = sum[i](X[i,j])", "X", MATRIX, lambda X: X.sum(0), lambda X: einsum("jn,m->jmn", I(3), ones(2))),
    Rule("T2", "Z[i] = sum[j](X[i,j])", "X", MATRIX, lambda X: X.sum(1), lambda X: einsum("im,n->imn", I(2), ones(3))),
    Rule("T3", "s[j] = sum[i](X[i,j]); Z = sum[j](s[j])", "X", MATRIX, lambda X: X.sum(), lambda X: ones((2, 3))),
    Rule("T4", "s[i] = sum[j](X[i,j]); Z = sum[i](s[i])", "X", MATRIX, lambda X: X.sum(), lambda X: ones((2, 3))),
    Rule("T5", "Z[i,j] = X[i,k]*Y[k,j]", "X", CHAIN, lambda X, Y: X @ Y, lambda X, Y: einsum("nj,im->ijmn", Y, I(2))),
    Rule("T6", "Z[i,j] = X[i,k]*Y[k,j]", "Y", CHAIN, lambda X, Y: X @ Y, lambda X, Y: einsum("im,jn->ijmn", X, I(5))),
    Rule("T7", "Z[i] = X[i,k]*Y[k]", "X", {"X": (2, 3), "Y": (3,)}, lambda X, Y: X @ Y, lambda X, Y: einsum("n,im->imn", Y, I(2))),
    Rule("T8", "Z[i] = X[i,k]*Y[k]", "Y", {"X": (2, 3), "Y": (3,)}, lambda X, Y: X @ Y, lambda X, Y: X),
    Rule("T9", "Z = X[i]*Y[i]", "X", {"X": (3,), "Y": (3,)}, lambda X, Y: X @ Y, lambda X, Y: Y),
    Rule("T10", "Z = X[i]*Y[i]", "Y", {"X": (3,), "Y": (3,)}, lambda X, Y: X @ Y, lambda X, Y: X),
    Rule("T11", "Z[i,j] = X[i]*Y[j]", "X", {"X": (2,), "Y": (3,)}, lambda X, Y: np.outer(X, Y), lambda X, Y: einsum("j,im->ijm", Y, I(2))),
    Rule("T12", "Z[i,j] = X[i]*Y[j]", "Y", {"X": (2,), "Y": (3,)}, lambda X, Y: np.outer(X, Y), lambda X, Y: einsum("i,jm->ijm", X, I(3))),
    Rule("T13", "Z = X[i,j]*Y[i,j]", "X", PAIR, lambda X, Y: (X * Y).sum(), lambda X, Y: Y),
    Rule("T14", "Z = X[i,j]*Y[i,j]", "Y", PAIR, lambda X, Y: (X * Y).sum(), lambda X, Y: X),
    # "broken" in XDiff
    Rule("T15", "Z[i,j] = X[j,i]", "X", MATRIX, lambda X: X.T, lambda X: einsum("in,jm->ijmn", I(3), I(2))),
    Rule("T16", "Z = len(X)*X.shape[1]", "X", MATRIX, lambda X: 6.0, nothing(2, 3)),
    Rule("T17", CORRELATION, "W", IMAGE, correlated, lambda X, W: windows(X, *W.shape)),
    # XDiff lets W be read out of its range
    Rule("T18", CORRELATION, "X", IMAGE, correlated, correlation_in_input),
    Rule("T19", CORRELATION + "; z = sum(Z)", "W", IMAGE, lambda X, W: correlated(X, W).sum(), lambda X, W: windows(X, *W.shape).sum((0, 1))),
    Rule("T20", CORRELATION + "; z = sum(Z)", "X", IMAGE, lambda X, W: correlated(X, W).sum(), lambda X, W: correlation_in_input(X, W).sum((0, 1))),
]

SCALARS = dict.fromkeys("xyzt", ())


def stacked(k: int, names: str) -> list[Rule]:
    """`vcat` of so many numbers, `k` the number of its first row."""
    shapes = dict.fromkeys(names, ())
    def pick(position): return lambda ds, **a: ds[position]
    return [Rule(f"G{k + n}", f"stack([{', '.join(names)}])", name, shapes,
                 lambda **a: np.stack([a[one] for one in names]), pick(n)) for n, name in enumerate(names)]


def put(shape: Shape, place: tuple[int, ...]) -> Function:
    def rule(ds, x):
        out = zeros(shape)
        out[place] = ds
        return out
    return rule


XGRAD = [
    Rule("G3", "len(x)*z", "x", {"x": (3,), "z": ()}, lambda x, z: len(x) * z, lambda ds, x, z: zeros(3)),
    Rule("G4", "x.size*z", "x", {"x": (2, 3), "z": ()}, lambda x, z: x.size * z, lambda ds, x, z: zeros((2, 3))),
    Rule("G5", "x.shape[1]*z", "x", {"x": (2, 3), "z": ()}, lambda x, z: 3 * z, lambda ds, x, z: zeros((2, 3))),
    # XGrad says 0, for a value that is repeated
    Rule("G7", "full((2, 3), x)", "x", {"x": ()}, lambda x: np.full((2, 3), x), lambda ds, x: ds.sum()),
    Rule("G11", "zeros_like(x)", "x", {"x": (2, 3)}, lambda x: zeros((2, 3)), lambda ds, x: zeros((2, 3))),
    Rule("G12", "ones_like(x)", "x", {"x": (2, 3)}, lambda x: ones((2, 3)), lambda ds, x: zeros((2, 3))),
    # XGrad says 0
    Rule("G15", "flip(x)", "x", {"x": (5,)}, lambda x: x[::-1], lambda ds, x: ds[::-1]),
    *stacked(26, "x"), *stacked(27, "xy"), *stacked(29, "xyz"), *stacked(32, "xyzt"),
    Rule("G36", "reshape(x, 3, 2)", "x", {"x": (2, 3)}, lambda x: x.reshape(3, 2), lambda ds, x: ds.reshape(2, 3)),
    Rule("G39", "reshape(x, (3, 2))", "x", {"x": (2, 3)}, lambda x: x.reshape(3, 2), lambda ds, x: ds.reshape(2, 3)),
    Rule("G41", "x[1]", "x", {"x": (3,)}, lambda x: x[1], put((3,), (1,))),
    Rule("G42", "x[1, -1]", "x", {"x": (2, 3)}, lambda x: x[1, -1], put((2, 3), (1, 2))),
    Rule("G43", "x[1, 0, 4]", "x", {"x": (2, 3, 5)}, lambda x: x[1, 0, 4], put((2, 3, 5), (1, 0, 4))),
    Rule("G82", "sum(x)", "x", {"x": ()}, lambda x: x, lambda ds, x: ds),
    Rule("G83", "sum(x)", "x", {"x": (2, 3)}, lambda x: x.sum(), lambda ds, x: ds * ones((2, 3))),
    Rule("G84", "mean(x)", "x", {"x": ()}, lambda x: x, lambda ds, x: ds),
    Rule("G85", "mean(x)", "x", {"x": (2, 3)}, lambda x: x.mean(), lambda ds, x: ds * ones((2, 3)) / 6),
    # XGrad divides by the number of all elements
    Rule("G86", "mean(x, 0)", "x", {"x": (2, 3)}, lambda x: x.mean(0), lambda ds, x: ds * ones((2, 3)) / 2),
    Rule("G86", "mean(x, 1)", "x", {"x": (2, 3)}, lambda x: x.mean(1), lambda ds, x: ds[:, None] * ones((2, 3)) / 3),
    Rule("G88", "dot(x, y)", "x", {"x": (), "y": ()}, lambda x, y: x * y, lambda ds, x, y: y * ds),
    Rule("G89", "dot(x, y)", "y", {"x": (), "y": ()}, lambda x, y: x * y, lambda ds, x, y: x * ds),
    Rule("G90", "vdot(x, y)", "x", {"x": ARRAY, "y": ARRAY}, lambda x, y: np.vdot(x, y), lambda ds, x, y: y * ds),
    Rule("G91", "vdot(x, y)", "y", {"x": ARRAY, "y": ARRAY}, lambda x, y: np.vdot(x, y), lambda ds, x, y: x * ds),
    Rule("G145", "max(x)", "x", {"x": ()}, lambda x: x, lambda ds, x: ds),
    Rule("G146", "max(x)", "x", {"x": ARRAY}, lambda x: x.max(), lambda ds, x: (x == x.max()) * ds),
    Rule("G147", "min(x)", "x", {"x": ()}, lambda x: x, lambda ds, x: ds),
    Rule("G148", "min(x)", "x", {"x": ARRAY}, lambda x: x.min(), lambda ds, x: (x == x.min()) * ds),
    Rule("G152", "X @ Y", "X", CHAIN, lambda X, Y: X @ Y, lambda ds, X, Y: ds @ Y.T),
    Rule("G156", "X @ Y", "Y", CHAIN, lambda X, Y: X @ Y, lambda ds, X, Y: X.T @ ds),
    Rule("G152", "X @ y", "X", {"X": (2, 3), "y": (3,)}, lambda X, y: X @ y, lambda ds, X, y: np.outer(ds, y)),
    Rule("G156", "X @ y", "y", {"X": (2, 3), "y": (3,)}, lambda X, y: X @ y, lambda ds, X, y: X.T @ ds),
    Rule("G189", "transpose(x)", "x", {"x": ()}, lambda x: x, lambda ds, x: ds),
    Rule("G190", "transpose(x)", "x", {"x": ARRAY}, lambda x: x.T, lambda ds, x: ds.T),
]
# fmt: on

NOT_APPLICABLE = {
    "colon(x, y), a range of whole numbers: no array of a program": "G1 G2",
    "the derivative in a size or in a shape, which is no array: refused": "G6 G8 G37 G38 G40",
    "similar, cell: memory without values": "G9 G10 G13",
    "tuple: a program has one output, and several are several programs with output=": (
        "G16 G17 G18 G19 G20 G21 G22 G23 G24 G25"
    ),
    "the derivative in a whole number that picks an entry, or an axis: refused": (
        "G44 G45 G46 G47 G48 G49 G87"
    ),
}

RULES = [*unary(), *binary(), *XDIFF, *XGRAD]
JACOBIANS = [rule for rule in RULES if rule.number[0] in "XT"]
PULLBACKS = [rule for rule in RULES if rule.number[0] == "G"]
BROADCAST = list(broadcast())
