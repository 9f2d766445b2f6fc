"""Functions of one's own, `register`: derivatives, scope, pickles, threads, generated source, refusals."""

import math
import pickle
import subprocess
import sys
import threading
import types

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

import einsumdiff
from einsumdiff import EinsumDiffError, NameFault, derive, read, register

SWASH = """
fn swash(x)        numpy my.swash   on real
   d/dx = my_slope(x)
fn my_slope(x)     numpy my.slope   on real
   d/dx = my_curve(x)
fn my_curve(x)     numpy "my.curve(x)"   on real
   d/dx = unknown
"""


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def swash(x):
    return x * sigmoid(x)


def slope(x):
    return sigmoid(x) * (1 + x * sigmoid(-x))


def curve(x):
    return sigmoid(x) * sigmoid(-x) * (2 + x * (1 - 2 * sigmoid(x)))


MY = types.SimpleNamespace(swash=swash, slope=slope, curve=curve)


@pytest.fixture
def rules():
    return register(SWASH, my=MY)


@pytest.fixture
def module(monkeypatch):
    """The functions above in a module that can be imported, as a user's are."""
    found = types.ModuleType("my_functions")
    found.swash, found.slope, found.curve = swash, slope, curve
    monkeypatch.setitem(sys.modules, "my_functions", found)
    return found


def slopes(program, wrt, rules, value, shapes, domain="real"):
    """First and second derivatives against differences; the second against those of the first."""
    arrays = sample(shapes, domain)
    named = {name: array.shape for name, array in arrays.items()}
    d = derive(program, wrt=wrt, rules=rules, shapes=named)
    assert_close(d(**arrays), numerical_jacobian(value, arrays, wrt), 1e-8)
    h = derive(program, wrt=wrt, rules=rules, shapes=named, order=2)
    assert_close(h(**arrays), numerical_jacobian(lambda **at: d(**at), arrays, wrt), 1e-8)
    return d


def test_a_function_of_ones_own_is_derived_twice(rules):
    d = slopes("y = swash(W @ x)", "x", rules, lambda W, x: swash(W @ x), {"W": (2, 3), "x": (3,)})
    assert d.check() < 1e-7
    with pytest.raises(EinsumDiffError, match="the derivative of my_curve in x is not known"):
        derive(d, wrt="x", order=2)


def test_generated_source_takes_the_module_as_a_keyword(rules):
    d = derive("y = sum(swash(x))", wrt="x", rules=rules)
    assert d.source() == (
        "import numpy as np\n\n\n"
        "def dy_dx(x, *, my):\n"
        '    """dy/dx[i] = my_slope(x[i])\n\n'
        "    Shapes: x: (n,).\n\n"
        "    Given by the caller, or else as registered: my.\n"
        '    """\n'
        "    result = my.slope(x)\n"
        "    return result\n"
    )
    x = np.array([0.5, -2.0])
    assert_close(d.compile()(x), slope(x), 1e-15)
    assert_close(d.compile(value=True)(x)[0], np.sum(swash(x)), 1e-15)
    other = types.SimpleNamespace(slope=np.cos)
    assert_close(d.compile()(x, my=other), np.cos(x), 1e-15)
    space = {}
    exec(d.source(), space)
    with pytest.raises(TypeError, match="my"):
        space["dy_dx"](x)


def test_a_function_alone_may_be_given():
    rules = register("fn twice(x)  numpy double  on real\n   d/dx = 2", double=lambda x: 2 * x)
    d = derive("sum(twice(x)**2)", wrt="x", rules=rules)
    assert d(x=[1.0, -3.0]).tolist() == [8.0, -24.0]
    assert "(x, *, double):" in d.source()


def test_two_parameters_options_and_other_rows():
    rules = register(
        "fn stretch(x, a=2.0)  numpy 'np.sin(a*x)'  on real\n"
        "   d/dx = a*cosine(a*x)\n   d/da = x*cosine(a*x)\n"
        "alias cosine = cos\n"
        "def both(x, y) = stretch(x)*stretch(y, 3)\n"
        "def energy(x[i], y[i]) -> [] = x[i]*y[i]**2\n"
    )
    assert list(rules) == ["stretch", "both", "energy"] and "cosine" in rules
    value = lambda x, y: np.sin(2 * x) * np.sin(3 * y) + np.sum(x * y**2)
    slopes("both(x, y) + energy(x, y)", "y", rules, value, {"x": (3,), "y": (3,)})
    slopes("both(x, y) + energy(x, y)", "x", rules, value, {"x": (3,), "y": (3,)})
    slopes("sum(stretch(x, a=c))", "c", rules, lambda x, c: np.sum(np.sin(c * x)), {"x": (5,), "c": ()})


def test_an_operation_with_a_stated_derivative():
    rules = register(
        "op other_inv(A[..., i, j]) -> [..., i, j]   square   numpy my.inv   on invertible\n"
        "   d/dA[m, n] = -other_inv(A)[..., i, m]*other_inv(A)[..., n, j]",
        my=np.linalg,
    )
    value = lambda A, b: np.linalg.inv(A + 3 * np.eye(3)) @ b
    slopes("other_inv(A + 3*eye(3)) @ b", "A", rules, value, {"A": (3, 3), "b": (3,)}, "small")


def test_identities_may_be_registered():
    rules = register(SWASH + "identity log(swash(x)) = log(x) - softplus(-x)", my=MY)
    d = derive("h = swash(x); sum(log(h))", wrt="x", rules=rules)
    assert "swash" not in d.program and "softplus(-x[i])" in d.program
    x = np.array([0.5, 2.0])
    assert_close(d(x=x), slope(x) / swash(x), 1e-15)


def test_rules_are_in_force_where_they_are_asked_for_and_nowhere_else(rules):
    with pytest.raises(NameFault, match="swash is no function"):
        derive("swash(x)", wrt="x")
    with rules:
        d = derive("swash(x)", wrt="x")
        other = register("fn cube(x)  numpy 'x*x*x'  on real\n   d/dx = 3*x**2")
        with other:
            both = derive("swash(cube(x))", wrt="x")
        with pytest.raises(NameFault, match="cube is no function"):
            derive("cube(x)", wrt="x")
        inner = derive("swash(cube(x))", wrt="x", rules=other)
    with pytest.raises(NameFault, match="swash is no function"):
        derive("swash(x)", wrt="x")
    assert inner == both == derive("swash(cube(x))", wrt="x", rules=rules | other)
    assert derive(d, wrt="x") == derive("swash(x)", wrt="x", order=2, rules=rules)


def test_a_fault_inside_leaves_the_rules():
    rules = register("fn cube(x)  numpy 'x*x*x'  on real\n   d/dx = 3*x**2")
    with pytest.raises(ZeroDivisionError), rules:
        raise ZeroDivisionError
    with pytest.raises(NameFault):
        derive("cube(x)", wrt="x")


def test_everything_that_a_derivative_does_knows_its_rules(rules):
    """Every public method and property, outside of any `with`: none says that there is no such row."""
    several = derive("y = swash(x)*z", wrt=["x", "z"], rules=rules)
    x, z = np.array([0.5, -1.0]), np.array([2.0, 3.0])
    for d in (several["x"], several):
        for name in dir(d):
            if name.startswith("_") and name not in ("__call__", "__str__", "__repr__", "__hash__"):
                continue
            try:
                found = getattr(d, name)
                if callable(found):
                    found(x=x, z=z) if name in ("__call__", "check") else found()
            except (TypeError, EinsumDiffError) as error:
                assert "row" not in str(error) and "no function" not in str(error), (name, error)
    assert several["x"] == read(str(several["x"]), rules=rules)
    assert_close(read(str(several["x"]), rules=rules)(x=x, z=z), np.diag(slope(x) * z), 1e-15)
    again = derive(read(str(several["x"]), rules=rules), wrt="x")
    assert again == derive(several["x"], wrt="x")


def test_pickles_carry_the_rules(module):
    rules = register(SWASH, my=module)
    d = derive("y = swash(x)*z", wrt=["x", "z"], rules=rules)
    for one in (d, d["x"], derive(d["x"], wrt="x"), read(str(d["x"]), rules=rules), rules):
        again = pickle.loads(pickle.dumps(one))
        assert again == one
        if one is not rules:
            assert str(again) == str(one) and np.all(str(again.source()) == str(one.source()))
    functions = register("fn slow(x)  numpy f  on real\n   d/dx = unknown", f=math.sin)
    assert pickle.loads(pickle.dumps(functions)) == functions


def test_another_thread_and_another_process_know_the_rules():
    rules = register("fn square_sine(x)  numpy f  on real\n   d/dx = 2*sin(x)*cos(x)", f=np.sin)
    d = derive("sum(square_sine(x))", wrt="x", rules=rules)
    found = []
    work = threading.Thread(target=lambda: found.append((str(derive(d, wrt="x")), d(x=[1.0]))))
    work.start()
    work.join()
    assert found[0][0] == str(derive(d, wrt="x"))
    code = "import pickle, sys; d = pickle.loads(sys.stdin.buffer.read()); print(d(x=[1.0])[0])"
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, input=pickle.dumps(d), capture_output=True, check=True).stdout
    assert float(out) == pytest.approx(np.sin(2.0), rel=1e-15)


REFUSED = {
    "a name that is taken": (
        "fn tanh(x)  numpy tanh  on real\n   d/dx = 1",
        "tanh has two rows\n"
        "  fn tanh(x)  numpy tanh  on real\n"
        "     ^^^^\n"
        "the other is a fn in elementwise.rules; give this one another name",
    ),
    "an alias that is taken": (
        "fn asinh(x)  numpy arcsinh  on real\n   d/dx = 1",
        "asinh has two rows\n"
        "  fn asinh(x)  numpy arcsinh  on real\n"
        "     ^^^^^\n"
        "the other is an alias in elementwise.rules; give this one another name",
    ),
    "a partial that calls what there is not": (
        "fn f(x)  numpy exp  on real\n   d/dx = expo(x)",
        "expo has no row\n     d/dx = expo(x)\n            ^^^^\ndid you mean exp",
    ),
    "a name that is no parameter": (
        "fn f(x)  numpy exp  on real\n   d/dx = exp(z)",
        "z is no parameter of this row\n     d/dx = exp(z)\n                ^\nknown are",
    ),
    "a call with too many arguments": (
        "fn f(x)  numpy exp  on real\n   d/dx = exp(x, x)",
        "exp does not take 2 arguments\n     d/dx = exp(x, x)\n            ^^^^^^^^^\nits parameters are (x)",
    ),
    "arrays in a function of numbers": (
        "fn f(x)  numpy exp  on real\n   d/dx = sum(x)",
        "sum is of arrays, and this row of numbers\n     d/dx = sum(x)\n            ^^^\n"
        "a row with arrays is a def or an op",
    ),
    "a missing partial": (
        "fn f(x, y)  numpy hypot  on real\n   d/dx = 1",
        "the partial in y is missing\n  fn f(x, y)  numpy hypot  on real\n  ^^^^\nadd  d/dy = ...",
    ),
    "a parameter twice": (
        "fn f(x, x)  numpy hypot  on real\n   d/dx = 1",
        "x is twice in the signature\n  fn f(x, x)  numpy hypot  on real\n          ^\nname each once",
    ),
    "a Python keyword": (
        "fn lambda(x)  numpy exp  on real\n   d/dx = 1",
        "`lambda` is a Python keyword and cannot be a name\n  fn lambda(x)",
    ),
    "a definition by itself": (
        "def f(x) = 2*g(x)\ndef g(x) = f(x)",
        "f is defined by itself: f -> g -> f\n  def g(x) = f(x)\n             ^\nsay what it means",
    ),
    "an alias of itself": (
        "alias f = g\nalias g = f",
        "f is defined by itself: f -> g -> f\n  alias g = f",
    ),
    "what NumPy has not": (
        "fn f(x)  numpy expp  on real\n   d/dx = 1",
        "np has no expp\n  fn f(x)  numpy expp  on real\n                 ^^^^\ndid you mean",
    ),
    "a module that is not given": (
        "fn f(x)  numpy mine.f  on real\n   d/dx = 1",
        "np has no mine\n  fn f(x)  numpy mine.f  on real\n                 ^^^^\n",
    ),
    "a name in a template that is not given": (
        'fn f(x)  numpy "mine(x)"  on real\n   d/dx = 1',
        'mine is no parameter and no module that is known\n  fn f(x)  numpy "mine(x)"  on real\n'
        "                  ^^^^\ngive it: register(..., mine=...)",
    ),
    "what the module has not": (
        "fn f(x)  numpy my.swish  on real\n   d/dx = 1",
        "my has no swish\n  fn f(x)  numpy my.swish  on real\n                    ^^^^^\ndid you mean swash?",
    ),
    "no row at all": ("# nothing", "there is no row in this text"),
    "no row": ("f(x) = 2", "a row cannot begin with f(x)\n  f(x) = 2\n  ^^^^"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_row_that_is_wrong_is_refused_with_a_caret(what):
    text, said = REFUSED[what]
    with pytest.raises(EinsumDiffError) as caught:
        register(text, **({"my": MY} if "my." in text else {}))
    assert str(caught.value).startswith(said)


def test_one_name_for_two_things_is_refused(rules):
    with pytest.raises(NameFault, match="swash has two rows"):
        rules | register("fn swash(x)  numpy exp  on real\n   d/dx = exp(x)")
    with pytest.raises(NameFault, match="my is two different things"):
        rules | register("fn f(x)  numpy my.exp  on real\n   d/dx = exp(x)", my=np)
    assert (rules | rules).texts == rules.texts


def test_an_array_called_as_the_module_is_refused(rules):
    for program in ("sum(swash(my))", "my = x*2; sum(swash(my*x))"):
        d = derive(program, wrt="my", rules=rules)
        with pytest.raises(NameFault, match="my is an array here"):
            d.source()


def test_rules_are_what_register_returns():
    with pytest.raises(EinsumDiffError, match="rules= is what register returns"):
        derive("x", wrt="x", rules={"f": np.exp})
    with pytest.raises(EinsumDiffError, match="belong to the program"):
        derive(derive("x", wrt="x"), wrt="x", rules=register("def f(x) = x"))


def test_importing_stays_fast():
    code = (
        "import sys, einsumdiff\n"
        "from einsumdiff import derive\n"
        "try: derive('frobnicate(x)', wrt='x')\n"
        "except einsumdiff.NameFault: pass\n"
        "derive('tanh(x)', wrt='x')\n"
        "assert 'sympy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert einsumdiff.Rules is type(register("def f(x) = x"))


# ------------------------------------------------------------------------------------------- by SymPy


def check_by_differences(program, shapes, domain="positive", rules=None, order=2):
    """Derivatives up to an order, each against differences of the one before."""
    arrays = sample(shapes, domain)
    named = {name: array.shape for name, array in arrays.items()}
    before = derive(program, wrt="x", rules=rules, shapes=named)
    value = einsumdiff.value_and_grad(f"sum({program})", "x", rules=rules, shapes=named)
    gradient = numerical_jacobian(lambda **at: value(**at)[0], arrays, "x")
    assert_close(value(**arrays)[1], gradient, 1e-7)
    for k in range(2, order + 1):
        d = derive(program, wrt="x", rules=rules, shapes=named, order=k)
        assert_close(
            d(**arrays), numerical_jacobian(lambda before=before, **at: before(**at), arrays, "x"), 1e-7
        )
        before = d


@pytest.mark.parametrize(
    "call",
    """besselj(2,x) bessely(0,x) besseli(1,x) besselk(0,x) jv(0,x) j0(x) airyai(x) airybi(x) Si(x) Ci(x) Ei(x)
    Shi(x) exp1(x) fresnels(x) fresnelc(x) lowergamma(1.5,x) uppergamma(2.5,x) elliptic_k(x/3) ellipe(x/3)
    erfinv(x/3) erfcinv(x/3) lambertw(x) zeta(2.5,x) factorial(x) harmonic(x) binomial(3.5,x) legendre(3,x/3)
    chebyshevt(4,x/3) chebyshevu(3,x/3) hermite(3,x) laguerre(3,x) assoc_laguerre(3,0.5,x)
    gegenbauer(3,0.7,x/3) jacobi(3,0.5,1.5,x/3) scipy.special.kv(1,x) scipy.special.expi(x)""".split(),
)
def test_functions_that_sympy_knows_are_derived_three_times(call):
    check_by_differences(call, {"x": (3,)}, order=3 if "(x)" in call else 2)
    d = derive(f"y = sum(W*{call})", wrt="x")
    assert d.check() < 1e-7


def test_what_sympy_cannot_derive_is_refused():
    for program in ("besselj(x, 2.0)", "zeta(x)", "legendre(x, 0.5)", "lowergamma(x, 2.0)"):
        with pytest.raises(EinsumDiffError, match="is not known") as caught:
            derive(program, wrt="x")
        assert caught.value.kind == "unsupported"


def test_short_names_stay_names_of_arrays():
    d = derive("y1 = j0(x)*k0; y = sum(y1*zeta)", wrt="x")
    assert d.inputs == ("x", "k0", "zeta") and d.check() < 1e-7


SYMPY = {
    "an expression": (lambda s, x, a: s.exp(-a * x**2) * s.besselj(0, x), "f(a, x)"),
    "an expression with roots and logarithms": (
        lambda s, x, a: s.sqrt(x) * s.log(x) ** 3 / (a + x),
        "f(a, x)",
    ),
    "pieces": (lambda s, x, a: s.Piecewise((x**3, x > a), (s.sin(x), x > -1), (x, True)), "f(a/9, x)"),
    "a maximum": (lambda s, x, a: s.Max(x, 0.7) ** 3 + abs(x - 5), "f(x)"),
    "inverse functions": (lambda s, x, a: s.atan2(x, a) + s.asinh(x) + s.acos(x / 3), "f(a, x)"),
    "a Lambda": (lambda s, x, a: s.Lambda((x, a), s.tanh(a * x)), "f(x, a)"),
    "a function class": (lambda s, x, a: s.airyai, "f(x)"),
    "constants": (lambda s, x, a: s.pi * x ** s.Rational(3, 2) + s.E**x / 3 + s.EulerGamma * x, "f(x)"),
}


@pytest.mark.parametrize("what", SYMPY)
def test_a_function_from_sympy_is_derived(what):
    sympy = pytest.importorskip("sympy")
    x, a = sympy.symbols("x a")
    make, call = SYMPY[what]
    rules = einsumdiff.register_sympy("f", make(sympy, x, a))
    check_by_differences(call, {"x": (3,), "a": ()} if "a" in call else {"x": (3,)}, rules=rules)
    assert pickle.loads(pickle.dumps(rules)) == rules
    assert "import sympy" not in derive(call, wrt="x", rules=rules).source()


def test_the_order_of_parameters_may_be_said():
    sympy = pytest.importorskip("sympy")
    n, x = sympy.symbols("n x")
    rules = einsumdiff.register_sympy("p", sympy.besselj, parameters=("n", "x"))
    other = einsumdiff.register_sympy("q", sympy.besselj(n, x), parameters=("x", "n"))
    d = derive("p(2, x) - q(x, 2)", wrt="x", rules=rules | other)
    assert_close(d(x=[0.5, 2.0]), np.zeros((2, 2)), 1e-15)


def test_what_numpy_cannot_compute_is_refused_by_name():
    sympy = pytest.importorskip("sympy")
    x, n = sympy.symbols("x n")
    for what, said in ((sympy.li(x), "li"), (sympy.Integral(sympy.sin(x * n), (n, 0, 1)), "Integral")):
        with pytest.raises(EinsumDiffError, match=said):
            einsumdiff.register_sympy("f", what)
    with pytest.raises(EinsumDiffError, match="no function of SymPy"):
        einsumdiff.register_sympy("f", "sin(x)")
    with pytest.raises(NameFault, match="tanh has two rows"):
        einsumdiff.register_sympy("tanh", sympy.sin(x))
    with pytest.raises(EinsumDiffError, match="lacks some of n, x"):
        einsumdiff.register_sympy("f", n * x, parameters=("x",))
