"""Every row of rules/elementwise.rules against NumPy and SciPy; what is not in the table is not named."""

from __future__ import annotations

import operator
from collections.abc import Mapping

import numpy as np
import pytest
import scipy.special

from einsumdiff.language import tree
from einsumdiff.language.table import Definition, Function, NamedNumber, load_table

TABLE = load_table()
FUNCTIONS = [row for row in TABLE.rows() if isinstance(row, Function)]
SCALAR = [
    row for row in TABLE.rows() if isinstance(row, Definition) and all(c.axes is None for c in row.cases)
]
ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
SHARES = {"first_share": 0.5, "second_share": 0.5}
# Their own values at 1e3 are beyond 1e308.
OVERFLOWS = {
    "exp",
    "exp2",
    "expm1",
    "sinh",
    "cosh",
    "gamma",
    "power",
    "besseli",
    "airybi",
    "airybiprime",
    "Shi",
    "Chi",
    "Ei",
    "lowergamma",
    "uppergamma",
    "hermite",
    "jacobi",
    "i0",
    "i1",
    "factorial",
}


def call(row: Function | Definition, arguments: list) -> object:
    """The value of a row: a function as NumPy says it, a definition by its meaning."""
    parameters = row.parameters if isinstance(row, Function) else row.cases[0].parameters
    names = [parameter.name for parameter in parameters]
    defaults = [evaluate(p.default, {}) for p in parameters[len(arguments) :]]
    values = dict(zip(names, [*arguments, *defaults], strict=True))
    if isinstance(row, Definition):
        return evaluate(row.cases[0].value, values)
    text = row.spelling.spell(tuple(names), tuple(names))
    return eval(text, {"np": np, "special": scipy.special}, values)


def evaluate(node: tree.Tree, values: Mapping[str, object]) -> object:
    """The value of an expression of the rule language over scalars."""
    match node:
        case tree.Number(value) | tree.Constant(value):
            return value
        case tree.Name(name):
            return values[name] if name in values else SHARES[name] if name in SHARES else TABLE[name].value
        case tree.Unary("-", operand):
            return -evaluate(operand, values)
        case tree.Binary(op, left, right) if op in ARITHMETIC:
            return ARITHMETIC[op](evaluate(left, values), evaluate(right, values))
        case tree.Binary(op, left, right):
            return 1.0 * call(TABLE[TABLE.operators[op]], [evaluate(left, values), evaluate(right, values)])
        case tree.Apply(name, args):
            return call(TABLE[name], [evaluate(argument, values) for argument in args])
    raise AssertionError(node)


def slope(f, x: float) -> float:
    """f' by central differences of order 8."""
    h = 0.004
    weights = (4 / 5, -1 / 5, 4 / 105, -1 / 280)
    return sum(w * (f(x + k * h) - f(x - k * h)) for k, w in enumerate(weights, 1)) / h


def samples(row: Function | Definition, count: int = 12) -> list[list[float]]:
    """Arguments in the row's domains."""
    columns = [domain.points(count, seed) for seed, domain in enumerate(row.domains)]
    return [
        [v if isinstance(v, int) else np.float64(v) for v in values] for values in zip(*columns, strict=True)
    ]


def partials(rows: list[Function]) -> list:
    return [
        pytest.param(row, k, id=f"{row.name} d/d{parameter.name}")
        for row in rows
        for k, parameter in enumerate(row.parameters)
        if row.partials[parameter.name] is not None
    ]


@pytest.mark.parametrize("row, k", partials(FUNCTIONS))
def test_partial_is_the_slope_of_the_numpy_function(row: Function, k: int) -> None:
    names = [parameter.name for parameter in row.parameters]
    for arguments in samples(row):

        def along(v, arguments=arguments):
            return 1.0 * call(row, [*arguments[:k], v, *arguments[k + 1 :]])

        stated = evaluate(row.partials[names[k]], dict(zip(names, arguments, strict=True)))
        assert stated == pytest.approx(slope(along, arguments[k]), rel=1e-9, abs=1e-10), arguments


@pytest.mark.parametrize("row", [pytest.param(r, id=r.name) for r in SCALAR if r.spelling])
def test_definition_is_the_numpy_function_of_that_name(row: Definition) -> None:
    names = tuple(parameter.name for parameter in row.cases[0].parameters)
    for arguments in samples(row):
        text = row.spelling.spell(names, names)
        value = eval(text, {"np": np, "special": scipy.special}, dict(zip(names, arguments, strict=True)))
        assert call(row, arguments) == pytest.approx(value, rel=1e-14)


def far(row: Function | Definition) -> list[list[float]]:
    """Arguments of size 1e3, 1 and 0, as far as the domains reach."""
    columns = []
    for domain in row.domains:
        if domain.name in ("real", "nonzero", "inside"):
            columns.append([1e3, -1e3, 1.0, -1.0])
        elif domain.name in ("positive", "above_one", "above_minus_one"):
            columns.append([1e3, 1e3, 1.5, 2.0])
        else:
            columns.append(domain.points(4))
    return [
        [v if isinstance(v, int) else np.float64(v) for v in values] for values in zip(*columns, strict=True)
    ]


@pytest.mark.parametrize("row", [pytest.param(r, id=r.name) for r in FUNCTIONS + SCALAR if r.domains])
def test_value_and_partials_are_finite_without_warnings_at_1e3(row: Function | Definition) -> None:
    if row.name in OVERFLOWS:
        pytest.skip("its value is beyond the largest float")
    with np.errstate(all="raise", under="ignore"):
        for arguments in far(row):
            assert np.isfinite(call(row, arguments)), arguments
            if isinstance(row, Function):
                values = dict(zip([p.name for p in row.parameters], arguments, strict=True))
                for partial in row.partials.values():
                    assert partial is None or np.isfinite(evaluate(partial, values)), arguments


@pytest.mark.parametrize("row", [pytest.param(r, id=r.name) for r in FUNCTIONS if not r.boolean])
def test_float32_stays_float32(row: Function) -> None:
    for arguments in samples(row, 3):
        # NumPy reads a 0-d array as it does a larger one; a Python number, as here a default, is weak
        # a Python number, as a default is, takes the type of the arrays
        singles = [
            v if isinstance(v, int) else float(v) if p.default else np.full(2, v, np.float32)
            for v, p in zip(arguments, row.parameters, strict=True)
        ]
        assert call(row, singles).dtype == np.float32


@pytest.mark.parametrize("row", [pytest.param(r, id=r.name) for r in FUNCTIONS if r.boolean])
def test_comparison_is_a_numpy_boolean(row: Function) -> None:
    assert call(row, [np.ones(2)] * len(row.parameters)).dtype == np.bool_


@pytest.mark.parametrize("name", ["maximum", "minimum", "fmax", "fmin"])
def test_ties_share_equally(name: str) -> None:
    values = {"x": np.float64(3.0), "y": np.float64(3.0)}
    assert [evaluate(p, values) for p in TABLE[name].partials.values()] == [0.5, 0.5]


@pytest.mark.parametrize(
    "x, lo, hi, shares",
    [
        (0.0, 0.0, 2.0, [0.5, 0.5, 0.0]),
        (2.0, 0.0, 2.0, [0.5, 0.0, 0.5]),
        (1.0, 0.0, 2.0, [1.0, 0.0, 0.0]),
        (-1.0, 0.0, 2.0, [0.0, 1.0, 0.0]),
        (5.0, 0.0, 2.0, [0.0, 0.0, 1.0]),
        (1.0, 1.0, 1.0, [0.25, 0.25, 0.5]),
        (1.0, 4.0, 2.0, [0.0, 0.0, 1.0]),
    ],
)
def test_clip_shares_at_its_bounds(x: float, lo: float, hi: float, shares: list[float]) -> None:
    values = {"x": x, "lo": lo, "hi": hi}
    assert [evaluate(p, values) for p in TABLE["clip"].partials.values()] == shares


@pytest.mark.parametrize("name", ["abs", "relu", "sign", "floor", "round"])
def test_slope_at_the_kink_is_0(name: str) -> None:
    assert evaluate(TABLE[name].partials["x"], {"x": np.float64(0.0), "decimals": 0}) == 0


@pytest.mark.parametrize("name", ["fmax", "fmin"])
def test_the_number_beside_nan_has_slope_1(name: str) -> None:
    values = {"x": np.float64(2.0), "y": np.float64(np.nan)}
    assert [evaluate(p, values) for p in TABLE[name].partials.values()] == [1.0, 0.0]


def test_power_of_zero_has_slope_0_in_the_exponent() -> None:
    with np.errstate(all="raise"):
        assert evaluate(TABLE["power"].partials["y"], {"x": np.float64(0.0), "y": np.float64(2.0)}) == 0


def test_sinc_slope_is_exact_near_0() -> None:
    for x in (1e-200, 1e-9, 1e-5, 1e-3, 0.03, 0.0799, 0.0801, 0.3):
        t = np.pi * x
        exact = -np.pi * scipy.special.spherical_jn(1, t)
        assert call(TABLE["sinc_slope"], [np.float64(x)]) == pytest.approx(exact, rel=2e-13)
        second = evaluate(TABLE["sinc_slope"].partials["x"], {"x": np.float64(x)})
        assert second == pytest.approx(
            -(np.pi**2) * scipy.special.spherical_jn(1, t, derivative=True), rel=1e-11
        )
    with np.errstate(all="raise"):
        assert call(TABLE["sinc_slope"], [np.float64(0.0)]) == 0
        assert evaluate(TABLE["sinc_slope"].partials["x"], {"x": np.float64(0.0)}) == -(np.pi**2) / 3


@pytest.mark.parametrize("x", [-1e3, -50.0, -1.0, 0.0, 1.0, 50.0, 1e3])
def test_activations_equal_their_definitions(x: float) -> None:
    v = np.float64(x)
    assert call(TABLE["sigmoid"], [v]) == pytest.approx(scipy.special.expit(v), rel=1e-13)
    assert call(TABLE["silu"], [v]) == pytest.approx(v * scipy.special.expit(v), rel=1e-13)
    assert call(TABLE["gelu"], [v]) == pytest.approx(v * scipy.special.ndtr(v), rel=1e-12)
    assert call(TABLE["log_sigmoid"], [v]) == pytest.approx(scipy.special.log_expit(v), rel=1e-13)
    t = np.tanh(np.sqrt(2 / np.pi) * (v + 0.044715 * v**3))
    assert call(TABLE["gelu"], [v, True]) == pytest.approx(0.5 * v * (1 + t), rel=1e-13)


@pytest.mark.parametrize("row", [r for r in TABLE.rows() if isinstance(r, NamedNumber)], ids=lambda r: r.name)
def test_constant_is_numpys(row: NamedNumber) -> None:
    assert np.array_equal(row.value, getattr(np, row.spelling.text), equal_nan=True)


def test_the_vocabulary_of_the_language_is_there() -> None:
    words = """exp exp2 expm1 log log2 log10 log1p sqrt cbrt square abs2 reciprocal abs sign sin cos tan
    arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh sinc deg2rad rad2deg floor ceil round trunc
    sigmoid expit logistic softplus relu leaky_relu elu silu gelu softsign erf erfc gamma gammaln digamma
    polygamma power maximum minimum fmax fmin logaddexp logaddexp2 arctan2 hypot mod where clip xlogy copysign
    beta betaln asinh lgamma"""
    assert [word for word in words.split() if word not in TABLE] == []
