"""`derive`, and what a derivative offers: calls, orders, several names, comparison, pickling, threads."""

import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import (
    NameFault,
    Unsupported,
    ValueFault,
    derive,
    gradient,
    hessian,
    jacobian,
    read,
    value_and_grad,
)

LINEAR = "y = sum(W*X + b)"
LINEAR_SHAPES = {"W": "m n", "X": "m n", "b": "n"}
NET = "h = tanh(W @ x + b); y = sum((V @ h - t)**2)"
NET_ARRAYS = sample({"W": (3, 2), "x": (2,), "b": (3,), "V": (5, 3), "t": (5,)})


def net(W, x, b, V, t):
    return np.sum((V @ np.tanh(W @ x + b) - t) ** 2)


def test_the_main_job_from_text_to_array():
    d = derive(LINEAR, wrt="W")
    assert str(d).splitlines()[0] == "dy/dW[i,j] = X[i,j]"
    arrays = sample({"W": (2, 3), "X": (2, 3), "b": (3,)})
    assert np.array_equal(d(**arrays), arrays["X"])
    assert "def dy_dW(" in d.source()


def test_the_result_is_an_array_of_its_own():
    d = derive(LINEAR, wrt="W")
    X = np.ones((2, 3))
    result = d(W=X, X=X, b=np.ones(3))
    result[:] = 7
    assert X.sum() == 6


def test_inputs_are_in_order_of_appearance():
    assert derive(NET, "b").inputs == ("W", "x", "b", "V", "t")


def test_shape_is_that_of_the_output_and_then_the_wrt():
    assert derive("Z = X @ Y", "X", shapes={"X": (2, "n"), "Y": ("n", 3)}).shape == (2, 3, 2, "n")


def test_arrays_may_be_given_by_position():
    d = derive(NET, "b")
    assert np.array_equal(d(*NET_ARRAYS.values()), d(**NET_ARRAYS))


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
@pytest.mark.parametrize("wrt", ["W", "x", "b", "V", "t"])
def test_every_mode_gives_the_slope(wrt, mode):
    assert_close(derive(NET, wrt, mode=mode)(**NET_ARRAYS), numerical_jacobian(net, NET_ARRAYS, wrt))


def test_several_names_share_one_function():
    d = derive(NET, ["W", "b"])
    found = d(**NET_ARRAYS)
    assert list(d) == ["W", "b"] and list(found) == ["W", "b"] and len(d) == 2
    for name, slope in found.items():
        assert_close(slope, numerical_jacobian(net, NET_ARRAYS, name))
        assert_close(d[name](**NET_ARRAYS), slope)
    assert d.source().count("np.tanh") == 1


def test_one_name_in_a_list_gives_a_mapping_too():
    d = derive(NET, ["b"])
    assert list(d(**NET_ARRAYS)) == ["b"]


def test_second_derivatives_in_several_names_are_blocks_by_pairs():
    d = derive(NET, ["W", "b"], order=2)
    assert list(d) == [("W", "W"), ("W", "b"), ("b", "W"), ("b", "b")]
    assert d["W", "b"] == derive(derive(NET, "W"), "b")
    found = d(**NET_ARRAYS)
    assert_close(found["W", "b"], np.moveaxis(found["b", "W"], 0, -1))


def test_a_key_that_is_not_there_is_a_key_error():
    with pytest.raises(KeyError, match="there are 'W', 'b'"):
        derive(NET, ["W", "b"])["x"]


def test_a_hessian_is_the_slope_of_the_gradient():
    first, second = derive(NET, "b"), derive(NET, "b", order=2)
    assert_close(second(**NET_ARRAYS), numerical_jacobian(first, NET_ARRAYS, "b"))


def test_going_on_from_a_derivative_gives_mixed_and_higher_ones():
    d = derive(NET, "b")
    mixed = derive(d, wrt="x")
    assert mixed.wrt == ("b", "x") and mixed.shape == ("m", "n")
    assert_close(mixed(**NET_ARRAYS), numerical_jacobian(d, NET_ARRAYS, "x"))
    assert derive(d, wrt="b") == derive(NET, "b", order=2)
    third = derive(NET, "b", order=3)
    assert_close(third(**NET_ARRAYS), numerical_jacobian(derive(d, "b"), NET_ARRAYS, "b"), tol=1e-8)


def test_going_on_leaves_the_first_derivative_as_it_was():
    d = derive(NET, "b")
    before, text = d(**NET_ARRAYS), str(d)
    derive(d, wrt=["W", "x"], order=2)
    assert np.array_equal(d(**NET_ARRAYS), before) and str(derive(NET, "b")) == text


def test_a_definition_may_be_the_wrt():
    d = derive(NET, "h")
    h = np.tanh(NET_ARRAYS["W"] @ NET_ARRAYS["x"] + NET_ARRAYS["b"])
    expected = 2 * (NET_ARRAYS["V"] @ h - NET_ARRAYS["t"]) @ NET_ARRAYS["V"]
    assert_close(d(**NET_ARRAYS), expected)
    assert d.check() < 1e-8


def test_an_output_may_be_named():
    assert str(derive("h = x @ x; y = h**2", "x", output="h")).startswith("dh/dx[i] = 2*x[i]")


def test_a_wrt_without_influence_gives_a_typed_zero_that_says_so():
    d = derive("z = sum(q); y = A @ x", "q")
    assert str(d).startswith("dy[i]/dq[m] = 0\n") and "y does not depend on q" in str(d)
    result = d(q=np.ones(3), A=np.ones((2, 5)), x=np.ones(5))
    assert result.shape == (2, 3) and result.dtype == np.float64 and not result.any()


def test_value_and_grad_returns_both():
    value, slope = value_and_grad(NET, "W")(**NET_ARRAYS)
    assert_close(value, net(**NET_ARRAYS))
    assert_close(slope, numerical_jacobian(net, NET_ARRAYS, "W"))
    _, both = value_and_grad(NET, ["W", "b"])(**NET_ARRAYS)
    assert_close(both["W"], slope)


def test_compile_returns_the_function_of_the_source_once():
    d = derive(NET, "W")
    f = d.compile()
    assert f is d.compile() and np.array_equal(f(**NET_ARRAYS), d(**NET_ARRAYS))
    value, slope = d.compile(value=True)(**NET_ARRAYS)
    assert_close(value, net(**NET_ARRAYS))
    assert_close(slope, d(**NET_ARRAYS))


def test_other_targets_are_refused():
    with pytest.raises(Unsupported):
        derive(NET, "W").compile(target="jax")


def test_short_names():
    assert jacobian("A @ x", "x") == derive("A @ x", "x")
    assert gradient(LINEAR, "W") == derive(LINEAR, "W")
    assert hessian("x @ A @ x", "x") == derive("x @ A @ x", "x", order=2)
    for short in (gradient, hessian, value_and_grad):
        with pytest.raises(ValueFault, match="is of a scalar, and y has shape"):
            short("A @ x", "x")


def test_check_compares_with_central_differences():
    assert derive(NET, "W").check() < 1e-8
    assert derive(NET, "W").check(**NET_ARRAYS) < 1e-8
    assert derive(NET, "b", order=2).check() < 1e-8
    assert derive(NET, ["W", "b"]).check() < 1e-8
    assert derive("sum(log(x))", "x").check() < 1e-6
    assert derive("Z[i] = X[i+k]*w[k]", "X").check() < 1e-8


def test_check_finds_a_wrong_derivative(monkeypatch):
    d = derive("x @ x", "x")
    monkeypatch.setattr(type(d), "__call__", lambda self, x: 3 * x)
    assert d.check() > 0.1


def test_equality_is_by_meaning():
    assert derive("x @ A @ x", "x") == derive("y = x[i]*A[i,j]*x[j]", "x")
    assert derive("x @ A @ x", "x") == derive("q = x @ A @ x", "x", shapes={"x": "t"})
    assert derive("x @ A @ x", "x") != derive("x @ A.T @ x + sum(x)", "x")
    assert derive("x @ A @ x", "x") != derive("x @ A @ x", "A")
    assert derive("sum(exp(x))", "x") == derive("t = exp(x); sum(t)", "x")
    assert len({derive("x @ x", "x"), derive("sum(x*x)", "x")}) == 1
    assert derive("x @ x", "x") != 3


def test_pickling_derives_again():
    for d in (
        derive(NET, "W"),
        derive(derive(NET, "W"), "b"),
        derive(NET, ["W", "b"]),
        derive(NET, ["W", "b"])["b"],
        derive(NET, ["W", "b"], order=2)["W", "b"],
        derive(LINEAR, "W", shapes={"W": np.ones((2, 3))}),
        read(str(derive("x @ A @ x", "x"))),
    ):
        again = pickle.loads(pickle.dumps(d))
        assert again == d and str(again) == str(d)


def test_repr_is_short_and_says_the_formula():
    assert repr(derive(LINEAR, "W")) == "<Derivative dy/dW[i,j] = X[i,j]>"
    assert repr(derive(LINEAR, ["W", "b"])) == "<Derivatives of y in W, b>"
    assert len(repr(derive(NET, "W", order=2))) < 120


def test_one_derivative_may_be_called_from_several_threads():
    d = derive(NET, "W")
    expected = derive(NET, "W")(**NET_ARRAYS)
    found, faults = [], []

    def work():
        try:
            found.append(d(**NET_ARRAYS))
            derive(d, "b")(**NET_ARRAYS)
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults and len(found) == 16
    assert all(np.array_equal(one, expected) for one in found)


def test_the_same_text_gives_the_same_text_under_every_hash_seed():
    script = (
        "from einsumdiff import derive\n"
        f"d = derive({NET!r}, ['W', 'b', 'x'], order=2)\nprint(d)\nprint(d.source())\n"
        "d = derive('softmax(A @ x)', 'x')\nprint(d)\nprint(d.source())\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "17")
    }
    assert len(outputs) == 1


def test_importing_brings_neither_numpy_nor_sympy_nor_lark():
    script = (
        "import sys, einsumdiff; from einsumdiff import EinsumDiffError\n"
        "print([m for m in ('numpy', 'sympy', 'lark') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_deriving_and_printing_need_no_numpy():
    script = (
        "import sys\nsys.modules['numpy'] = None\nfrom einsumdiff import derive\n"
        f"d = derive({NET!r}, 'W')\nprint(len(str(d)) > 0, len(d.source()) > 0)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "True True\n"


def test_one_derivative_serves_every_size():
    d = derive("x @ A @ x", "x")
    for n in (0, 1, 2, 4):
        A, x = np.arange(n * n, dtype=float).reshape(n, n), np.arange(n, dtype=float)
        assert_close(d(x=x, A=A), (A + A.T) @ x)


def test_several_derivatives_cannot_be_derived_at_once():
    with pytest.raises(Unsupported, match="go on from one of them: 'W', 'b'"):
        derive(derive(NET, ["W", "b"]), "x")


def test_a_name_that_is_nowhere_is_an_error_for_derivatives_too():
    with pytest.raises(NameFault, match="nowhere"):
        derive(derive(NET, "W"), "Q")


@pytest.mark.parametrize("name", ["special", "np1", "result", "dtype", "t1", "k1"])
def test_a_definition_may_have_a_name_that_generated_source_uses(name):
    text = f"{name} = gamma(x*x + 1)\ny = sum({name}*relu(x))"
    assert derive(text, "x").check() < 1e-7


def test_the_derivative_of_a_number_in_a_number_can_be_checked():
    assert derive("y = tanh(s)*s", "s", shapes={"s": ""}).check() < 1e-7


def test_a_condition_of_numbers_alone_is_computed():
    arrays = {"s": np.array(0.5), "x": np.array([0.3, -1.0])}
    d = derive("x*2**s + where(full((2,), -0.5) > 0, s, 3*s)", "s", shapes={"x": 2, "s": ()})
    assert_close(d(**arrays), numerical_jacobian(lambda x, s: x * 2**s + 3 * s, arrays, "s"))
