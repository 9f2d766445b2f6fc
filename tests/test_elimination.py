"""Elimination of definitions in any order: the same derivative, at the least cost.

Costs are counted (flops of the plan, and compositions), never timed.
"""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import derive, elimination, terms
from einsumdiff.differentiate import AUTO, Elimination, differentiate
from einsumdiff.elimination import Edges, Graph
from einsumdiff.elimination_order import WORTH, along, cheapest, greedy
from einsumdiff.errors import ValueFault
from einsumdiff.terms import identity

MODES = ("reverse", "forward", "cross-country", "auto")
HOURGLASS = """x: (n,); P: (k, n); Q: (k, n); W: (N, k); V: (N, k); R: (k, N); S: (k, N); T: (m, k); U: (m, k)
a = tanh(P @ x) + Q @ x
b = W @ a + tanh(V @ a)
c = R @ b + S @ tanh(b)
y = T @ c + tanh(U @ c)"""
RESIDUAL = """x: (n,); W: (n, n); V: (n, n)
a = x + tanh(W @ x)
b = a + sin(V @ a)*x
y = b + tanh(W @ b)"""
LOW_RANK = """x: (n,); A: (m, n)
s = softmax(A @ x)
t = s*sum(s**2) + A @ (x*sum(x))
y = outer(t, x)"""
MATRICES = """X: (m, n); B: (n, k)
G = X.T @ X
H = tanh(G @ B) + G @ sin(B)
y = H.T @ H + B.T @ G @ B"""
CONVOLVED = """x: (n,); w: (k,)
u[i] = x[i+j]*w[j]
v = tanh(u) + u**2
y[i] = v[i+j]*w[j] + sin(v[i+j])*w[j]"""
TIES = """x: (n,); A: (m, n)
z = A @ x
a = maximum(z, 0)*z
y = cumsum(a) + a*max(z)"""
NORMS = """x: (n,); M: (n, n)
a = cos(M @ x)
b = a*norm(x)
y = b/sum(a**2) + sum(x*b)*a"""
STEPS = """x: (n,); A: (m, n)
c = A @ x > 0
y = where(c, sin(A @ x), 2*(A @ x))*floor(A @ x)*pi + sum(x*x)"""
PROGRAMS = [
    (HOURGLASS, {"n": 5, "k": 2, "N": 7, "m": 3}),
    (RESIDUAL, {"n": 3}),
    (LOW_RANK, {"m": 3, "n": 2}),
    (MATRICES, {"m": 2, "n": 3, "k": 5}),
    (CONVOLVED, {"n": 7, "k": 2}),
    (TIES, {"m": 5, "n": 3}),
    (NORMS, {"n": 3}),
    (STEPS, {"m": 5, "n": 3}),
]


def inputs(d, sizes, seed=0):
    shapes = {
        one.name: tuple(sizes[str(s)] if not isinstance(s, int) else s for s in one.shape)
        for one in d._program.inputs
    }
    return sample(shapes, "real", seed)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("text", "sizes"), PROGRAMS)
def test_every_order_gives_the_slope(text, sizes, mode):
    wrt = "X" if text.startswith("X") else "x"
    d = derive(text, wrt, mode=mode)
    values = inputs(d, sizes)
    of = d.compile(value=True)
    assert_close(d(**values), numerical_jacobian(lambda **a: of(**a)[0], values, wrt), 1e-7)
    assert_close(d.compile(sizes=sizes)(**values), d(**values), 1e-12)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("text", "sizes"), [PROGRAMS[k] for k in (0, 1, 2, 6)])
def test_every_order_gives_the_second_slope(text, sizes, mode):
    text = f"{text}\nL = sum(tanh(y)**2) + sum(x*x)"
    first, second = derive(text, "x", mode=mode), derive(text, "x", order=2, mode=mode)
    values = inputs(first, sizes, seed=3)
    of = first.compile(value=True)
    assert_close(first(**values), numerical_jacobian(lambda **a: of(**a)[0], values, "x"), 1e-7)
    assert_close(second(**values), numerical_jacobian(first, values, "x"), 1e-7)


@pytest.mark.parametrize("mode", MODES)
def test_several_wrt_and_definitions_among_them(mode):
    text = "x: (n,); W: (m, n)\nh = tanh(W @ x)\ng = h*sum(h) + sin(h)\ny = outer(g, h) + outer(h, g**2)"
    found = derive(text, ["x", "h", "W", "g"], mode=mode)
    values = sample({"x": (3,), "W": (2, 3)}, seed=1)
    for name, one in found(**values).items():
        assert_close(one, derive(text, name, mode="reverse")(**values), 1e-12)
    h = np.tanh(values["W"] @ values["x"])

    def after(h):
        g = h * np.sum(h) + np.sin(h)
        return np.outer(g, h) + np.outer(h, g**2)

    assert_close(found(**values)["h"], numerical_jacobian(after, {"h": h}, "h"), 1e-7)


def random_program(random):
    """A graph of definitions with several paths between them, and an output that is a vector."""
    sizes = {"n": 3, "k": 2, "m": 5}
    lines, known, matrices = [], [("x", "n")], {}
    for number in range(int(random.integers(3, 8))):
        size = str(random.choice(list(sizes)))
        parts = []
        for _ in range(int(random.integers(1, 4))):
            name, own = known[int(random.integers(max(0, len(known) - 3), len(known)))]
            if own == size and random.random() < 0.4:
                part = name
            else:
                matrix = f"M{size}{own}{int(random.integers(2))}"
                matrices[matrix] = (size, own)
                part = f"{matrix} @ {name}"
            kind = str(random.choice(["tanh({})", "sin({})", "({})", "({})*cos({})", "({})*sum({})"]))
            parts.append(kind.replace("{}", part))
        lines.append(f"v{number} = " + " + ".join(parts))
        known.append((f"v{number}", size))
    declared = "; ".join(["x: (n,)", *(f"{name}: ({a}, {b})" for name, (a, b) in matrices.items())])
    return "\n".join([declared, *lines, f"y = v{number}*2 + sin(v{number})"]), sizes


@pytest.mark.parametrize("seed", range(40))
def test_all_orders_agree_on_random_graphs(seed):
    text, sizes = random_program(np.random.default_rng(seed))
    found = {mode: derive(text, "x", mode=mode) for mode in MODES}
    values = {name: 0.5 * one for name, one in inputs(found["auto"], sizes, seed).items()}
    expected = found["reverse"](**values)
    for mode, d in found.items():
        assert_close(d(**values), expected, 1e-12)
        if mode == "cross-country":
            assert derive(text, "x", mode=mode).source() == d.source()
    of = found["auto"].compile(value=True)
    slope = numerical_jacobian(lambda **a: of(**a)[0], values, "x")
    assert_close(expected, slope, 1e-7)


# ------------------------------------------------------------------------------------------------- cost


def test_an_hourglass_is_joined_at_its_waists():
    """Both sweeps carry n (or m) rows through the wide layer, on two paths each, and the waists k rows."""
    n, k, N, m = 300, 4, 1000, 300
    sizes = {"n": n, "k": k, "N": N, "m": m}
    flops = {mode: derive(HOURGLASS, "x", mode=mode).cost(**sizes).flops for mode in MODES}
    assert flops["auto"] == flops["cross-country"]
    sweep = 2 * (2 * m * N * k) * 2  # two products in, two out
    joined = 2 * k * N * k + 2 * m * k * n
    assert flops["reverse"] > sweep
    assert flops["forward"] > sweep
    assert joined < flops["cross-country"] < 1.3 * joined
    assert min(flops["reverse"], flops["forward"]) > 0.75 * sweep / joined * flops["cross-country"]


def test_the_hessian_of_an_hourglass_too():
    text = HOURGLASS.rpartition("\n")[0] + "\nL = sum(tanh(c)**2)"
    sizes = {"n": 100, "k": 5, "N": 1000}
    text = text.replace("; T: (m, k); U: (m, k)", "")
    swept = derive(text, "x", order=2, mode="reverse").cost(**sizes)
    chosen = derive(text, "x", order=2).cost(**sizes)
    assert chosen.weight < swept.weight / 5


def test_sizes_given_when_compiling_decide_the_order():
    d = derive(HOURGLASS, "x", mode="auto")
    wide = {"n": 300, "k": 2, "N": 3, "m": 2}  # nothing is gained by the waists here
    thin = {"n": 300, "k": 2, "N": 500, "m": 300}
    for sizes in (wide, thin):
        best = min(derive(HOURGLASS, "x", mode=mode).cost(**sizes).weight for mode in MODES[:3])
        assert d.cost(**sizes).weight <= best / WORTH
        values = {name: 0.1 * one for name, one in inputs(d, sizes).items()}
        swept = derive(HOURGLASS, "x", mode="reverse")
        assert_close(d.compile(sizes=sizes)(**values), swept(**values), 1e-12)
    assert "assumed: m = 100" in str(d.cost(n=300, k=2, N=500))


@pytest.mark.parametrize(("text", "sizes"), PROGRAMS)
def test_auto_is_never_dearer_than_a_sweep_that_it_knows(text, sizes):
    wrt = "X" if text.startswith("X") else "x"
    weight = {mode: derive(text, wrt, mode=mode).cost(**sizes).weight for mode in ("reverse", "auto")}
    assert weight["auto"] <= weight["reverse"] / WORTH


def test_the_patterns_alone_tell_a_sweep_from_the_waists():
    d = derive(HOURGLASS, "x")
    program = d._program
    graph = Graph([program.output], [program.arrays["x"]], program.builder.copy())
    shape = program.output.shape
    edges = Edges(graph, shape, {program.output: [identity(shape)]}, [program.arrays["x"]])
    sizes = {"n": 300, "k": 4, "N": 1000, "m": 300}
    order = greedy(edges, graph.order, sizes)
    assert set(order) == set(graph.order)
    least = along(edges, order, sizes)
    assert 5 * least < min(along(edges, graph.order, sizes), along(edges, reversed(graph.order), sizes))
    assert cheapest(edges, graph.order, sizes, WORTH) == ("reverse", order)


# ------------------------------------------------------------------------------------------------ deriving


@pytest.fixture
def counted(monkeypatch):
    """How often two terms are composed."""
    count = [0]

    def compose(*args):
        count[0] += 1
        return terms.compose(*args)

    monkeypatch.setattr(elimination, "compose", compose)
    return count


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("W: (n, n); x: (n,); h = tanh(W @ x); L = sum(h*h*x)", 1),
        ("W: (n, n); x: (n,); a = tanh(W @ x); b = tanh(W @ a); y = tanh(W @ b)", 1),
        ("x: (n,); y = exp(x)", 1),
        ("X: (m, n); y = softmax(X)", 1),
        ("x: (n,); y = logsumexp(x)", 2),
    ],
)
def test_nothing_more_is_composed_where_one_sweep_does(counted, text, order):
    wrt = "X" if text.startswith("X") else "x"
    derive(text, wrt, order=order, mode="reverse")
    swept, counted[0] = counted[0], 0
    derive(text, wrt, order=order)
    assert counted[0] <= swept


def test_a_long_program_of_vectors_is_not_derived_twice(counted):
    layers = range(1, 41)
    declared = "; ".join(f"W{k}: (n, n)" for k in layers)
    lines = "\n".join(f"h{k} = tanh(W{k} @ h{k - 1})" for k in layers)
    text = f"h0: (n,); {declared}\n{lines}"
    names = [f"W{k}" for k in layers]
    derive(text, names, mode="reverse")
    swept, counted[0] = counted[0], 0
    derive(text, names)
    assert counted[0] <= swept


def test_without_a_measure_it_is_a_sweep():
    d = derive(HOURGLASS, "x", mode="reverse")
    (found,) = differentiate(d._program, [d._program.arrays["x"]], AUTO)
    (swept,) = differentiate(d._program, [d._program.arrays["x"]], Elimination("reverse"))
    assert len(found.terms) == len(swept.terms)


def test_an_unknown_mode_is_told_the_modes():
    with pytest.raises(ValueFault, match="cross-country"):
        derive("y = sin(x)", "x", mode="crosscountry")
