"""The sentences of the language on indexed notation, one by one."""

import numpy as np
import pytest
from numeric import assert_close, sample
from oracle import program, run

from einsumdiff.errors import IndexFault

A3, A33, A23 = (3,), (3, 3), (2, 3)

SENTENCES = [
    # two or more factors: the product, the outermost of its additive term
    ("y = a[j]*(b[j]*c[j])", lambda a, b, c: (a * b * c).sum(), {"a": A3, "b": A3, "c": A3}),
    ("y = u[i]/v[i]", lambda u, v: (u / v).sum(), {"u": A3, "v": A3}),
    ("y = a[i]*b[i] + c[i]*d[i]", lambda a, b, c, d: a @ b + c @ d, dict.fromkeys("abcd", A3)),
    ("f = x[i]*(y[i]*z[i] + w[i])", lambda x, y, z, w: (x * (y * z + w)).sum(), dict.fromkeys("xyzw", A3)),
    ("y = -a[i]*(-b[i])", lambda a, b: a @ b, {"a": A3, "b": A3}),
    ("y = 2*x[i]*x[i]/3", lambda x: 2 * (x @ x) / 3, {"x": A3}),
    ("y = exp(W[j]*x[j])*v[j]", lambda W, x, v: (np.exp(W * x) * v).sum(), {"W": A3, "x": A3, "v": A3}),
    ("y = A[i,i]*B[i,i]", lambda A, B: (np.diag(A) * np.diag(B)).sum(), {"A": A33, "B": A33}),
    ("y = a[i]*b[i]*(c[i]*d[i])", lambda a, b, c, d: (a * b * c * d).sum(), dict.fromkeys("abcd", A3)),
    # inside one factor alone: further in
    ("y[i] = exp(W[i,j]*x[j])", lambda W, x: np.exp(W @ x), {"W": A23, "x": A3}),
    ("y = (a[i]*b[i])**2", lambda a, b: (a @ b) ** 2, {"a": A3, "b": A3}),
    ("y = 1/(a[i]*b[i])", lambda a, b: 1 / (a @ b), {"a": A3, "b": A3}),
    ("y = 3*(a[i]*b[i] - s)", lambda a, b, s: 3 * (a @ b - s), {"a": A3, "b": A3, "s": ()}),
    # twice in one access
    ("y = A[i,i]", lambda A: np.trace(A), {"A": A33}),
    ("y = A[i,i]**2", lambda A: np.trace(A) ** 2, {"A": A33}),
    ("y[k] = x[i,i,k]", lambda x: np.einsum("iik->k", x), {"x": (3, 3, 2)}),
    # a base
    ("f = (x[i] - y[i])**2", lambda x, y: ((x - y) ** 2).sum(), {"x": A3, "y": A3}),
    ("f = (w[i]*x[i] - y[i])**2", lambda w, x, y: ((w * x - y) ** 2).sum(), dict.fromkeys("wxy", A3)),
    ("f = (y[i] - W[i,j]*x[j])**2", lambda y, W, x: ((y - W @ x) ** 2).sum(), {"y": (2,), "W": A23, "x": A3}),
    ("f = x[i]**2", lambda x: x @ x, {"x": A3}),
    ("f = x[i]**-2*w[i]", lambda x, w: (w / x**2).sum(), {"x": A3, "w": A3}),
    # explicit reductions
    ("y = sum[i](a[i])*sum[i](b[i])", lambda a, b: a.sum() * b.sum(), {"a": A3, "b": A3}),
    ("z[i] = x[i]*sum[i](y[i])", lambda x, y: x * y.sum(), {"x": A3, "y": A3}),
    ("z = sum[i,j](A[i,j])", lambda A: A.sum(), {"A": A23}),
    ("f[i] = prod[j](A[i,j])", lambda A: A.prod(axis=1), {"A": A23}),
    ("f = prod[i,j](A[i,j])", lambda A: A.prod(), {"A": A23}),
    ("f[j] = max[i](A[i,j]) - min[k](A[k,j])", lambda A: A.max(0) - A.min(0), {"A": A23}),
    ("y[i,j] = A[i,j] - sum[j](A[i,j])", lambda A: A - A.sum(1, keepdims=True), {"A": A23}),
    # delta
    ("Z[i,j] = delta[i,j]*x[i]", lambda x: np.diag(x), {"x": A3}),
    ("y = delta[i,j]*A[i,j]", lambda A: np.trace(A), {"A": A33}),
    # a bare expression
    ("W[i,j]*x[j]", lambda W, x: W @ x, {"W": A23, "x": A3}),
    ("x[j]*y[i]", lambda x, y: np.outer(y, x), {"x": A3, "y": (2,)}),
    ("exp(x[i])/x[j]", lambda x: np.outer(np.exp(x), 1 / x), {"x": A3}),
    ("x[i,j] + y[j,i]", lambda x, y: x + y.T, {"x": A23, "y": (3, 2)}),
    ("x[i]**2 - 1", lambda x: x**2 - 1, {"x": A3}),
    # affine accesses
    ("Z[i,j] = X[i+m, 2*j+n]*W[m,n]",
     lambda X, W: np.array([[(X[i:i + 2, 2 * j:2 * j + 3] * W).sum() for j in range(3)] for i in range(4)]),
     {"X": (5, 7), "W": A23}),
    ("f = x[i]*x[i+1]", lambda x: x[:-1] @ x[1:], {"x": (5,)}),
    ("d[i] = x[i+2] - 2*x[i+1] + x[i]", lambda x: x[2:] - 2 * x[1:-1] + x[:-2], {"x": (5,)}),
    ("y[i] = x[3*i+1]", lambda x: x[1::3], {"x": (7,)}),
    ("y[i] = x[6-i]*x[i]", lambda x: x[::-1] * x, {"x": (7,)}),
    ("y[i] = A[i,0] + A[i,-1]", lambda A: A[:, 0] + A[:, -1], {"A": A23}),
    # both notations
    ("y[i] = (W @ x)[i]*b[i] + softmax(x)[j]*x[j]",
     lambda W, x, b: (W @ x) * b + (np.exp(x) / np.exp(x).sum()) @ x, {"W": A23, "x": A3, "b": (2,)}),
    ("y[i] = x[i]*sum(x) + norm(x)", lambda x: x * x.sum() + np.sqrt(x @ x), {"x": A3}),
    ("h = x**2; y[i] = h[i]*s", lambda x, s: x**2 * s, {"x": A3, "s": ()}),
    ("h[i] = x[i]**2; y = sum(h)", lambda x: x @ x, {"x": A3}),
    ("y[i] = where(x[i] > 0, x[i], 0)", lambda x: np.where(x > 0, x, 0), {"x": A3}),
    ("y = inv(A)[i,m]*A[m,i]", lambda A: 3.0, {"A": A33}),
    ("C[p,q,r,s] = A[u,p,v,q]*B[r,v,u,s]", lambda A, B: np.einsum("upvq,rvus->pqrs", A, B),
     {"A": (2, 3, 5, 7), "B": (3, 5, 2, 2)}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "function", "shapes"), SENTENCES, ids=[row[0] for row in SENTENCES])
def test_an_index_is_summed_where_the_rule_says(text, function, shapes):
    arrays = sample(shapes, domain="nonzero", seed=len(text))
    for given in (shapes, None):
        if given is None and ("6-i" in text or "sum(x)" in text):
            continue
        value = run(program(text, shapes=given), arrays)
        assert_close(value, np.asarray(function(**arrays)), 1e-12)


def test_the_free_letters_of_a_bare_expression_are_said():
    assert program("x[j]*y[i]").notes == ("the axes are i, j, in alphabetical order, as np.einsum has it",)


def test_a_value_repeats_along_a_declared_axis():
    x = np.arange(3.0)
    assert_close(
        run(program("f: (n, 5); x: (n,)\nf[i,j] = x[i]**2"), {"x": x}), np.repeat(x[:, None] ** 2, 5, 1)
    )


def test_a_size_name_is_a_number_in_brackets():
    x = np.arange(4.0)
    assert_close(run(program("x: (n,)\ny[i] = x[n-1-i]"), {"x": x}), x[::-1])


def test_a_size_name_that_stands_alone_in_brackets_is_a_letter():
    A = sample({"A": (2, 3)})["A"]
    assert_close(run(program("A: (m, n)\ny[m] = sum[n](A[m,n])/n"), {"A": A}), A.mean(axis=1))


FAULTS = [
    ("y = (a[i]*b[i])*(c[i]*d[i])", """\
i could be summed over the whole product or in 2 of its factors
  y = (a[i]*b[i])*(c[i]*d[i])
      ^^^^^^^^^^^^^^^^^^^^^^^
write sum[i]((a[i]*b[i])*(c[i]*d[i])) or sum[i](a[i]*b[i])*sum[i](c[i]*d[i])"""),
    ("y = exp(a[i]*b[i])/(c[i]*d[i])", """\
i could be summed over the whole product or in 2 of its factors
  y = exp(a[i]*b[i])/(c[i]*d[i])
      ^^^^^^^^^^^^^^^^^^^^^^^^^^
write sum[i](exp(a[i]*b[i])/(c[i]*d[i])) or exp(sum[i](a[i]*b[i]))/sum[i](c[i]*d[i])"""),
    ("y = A[i,k]*B[k,i] + c[k]", """\
k occurs once here and is not on the left side
  y = A[i,k]*B[k,i] + c[k]
                      ^^^^
write sum[k](c[k]), or put k on the left side"""),
    ("y = sum[j](x[i]*x[i])", """\
j does not occur in the body of this sum
  y = sum[j](x[i]*x[i])
          ^
index something in the body with j"""),
    ("Z[i,j] = x[i]", """\
j is on the left side, and the right side does not bind it
  Z[i,j] = x[i]
      ^
declare the shape of Z: the value then repeats along j"""),
    ("Z[i,i] = x[i]", """\
i is twice on the left side
  Z[i,i] = x[i]
      ^
write Z[i,j] = ...*delta[i,j]"""),
    ("d[i] = x[i+1] - 2*x[i] + x[i-1]", """\
x[i-1] is out of bounds at i = 0
  d[i] = x[i+1] - 2*x[i] + x[i-1]
                             ^^^
shift every access by 1: x[i+2] - 2*x[i+1] + x[i]"""),
    ("f[i,j] = exp(x[i+j])", """\
the range of i is not determined by x[i+j]
  f[i,j] = exp(x[i+j])
               ^^^^^^
declare the shape of f[i,j]"""),
    ("y = z[i]*x[i+1]", """\
the range of i is not determined: z[i] allows m values, x[i+1] n - 1
  y = z[i]*x[i+1]
           ^^^^^^
declare the shapes"""),
    ("y[i+1] = x[i]", """\
i+1 on the left side is no letter
  y[i+1] = x[i]
    ^^^
write plain letters on the left, and shift the accesses on the right"""),
    ("y = sum(x[i])", """\
sum works on whole arrays, and x[i] is an entry
  y = sum(x[i])
          ^^^^
give it whole arrays, or write sum[i](x[i])"""),
    ("y = x[i, :]", """\
this bracket mixes the index i with NumPy's :
  y = x[i, :]
      ^^^^^^^
use letters and whole numbers only: X[i,0]"""),
    ("y = x[i+0.5]", """\
i+0.5 is no whole-number affine form
  y = x[i+0.5]
        ^^^^^
brackets hold sums of letters times whole numbers: X[2*i + 1]"""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), FAULTS, ids=[row[0] for row in FAULTS])
def test_what_has_no_place_is_an_error_that_points(text, message):
    with pytest.raises(IndexFault) as caught:
        program(text)
    assert str(caught.value) == message
