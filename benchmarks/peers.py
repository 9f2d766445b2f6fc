"""How each peer differentiates a function: its ways to do so, as calls without arguments.

A way is complete when it returns: JAX is waited for, and all are given their own arrays, in double precision,
before they are timed. What a library does not have, or cannot derive, raises; the runner says so in the row.
"""

import importlib
import importlib.metadata
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from task import Size, Task

Way = tuple[str, Callable[[], Any]]


class Namespace:
    """A library's functions by NumPy's names, those that it names otherwise or write stably, given."""

    def __init__(self, module: Any, **own: Callable[..., Any]) -> None:
        self._module, self._own = module, own

    def __getattr__(self, name: str) -> Any:
        return self._own[name] if name in self._own else getattr(self._module, name)


def jax(task: Task, size: Size, arrays: dict[str, Any], thorough: bool) -> Iterator[Way]:
    import jax

    jax.config.update("jax_enable_x64", True)
    numpy = Namespace(jax.numpy, logsumexp=jax.nn.logsumexp, softmax=jax.nn.softmax, softplus=jax.nn.softplus)
    names, wrt = list(arrays), task.names(size)
    given = [jax.numpy.asarray(array) for array in arrays.values()]

    def function(*values: Any) -> Any:
        return task.peer(numpy, **dict(zip(names, values, strict=True)))

    single = names.index(wrt[0]) if task.single(size) else tuple(names.index(name) for name in wrt)
    scalar = not jax.eval_shape(function, *given).shape
    for mode, transform in _transforms(jax.grad, jax.jacfwd, jax.jacrev, task.order, scalar):
        run = jax.jit(transform(function, argnums=single))
        yield mode, lambda run=run: named(jax.block_until_ready(run(*given)), task, size)
    for mode, make in task.modes.get("jax", {}).items():
        special = jax.jit(make(jax, numpy))
        yield mode, lambda run=special: jax.block_until_ready(run(**dict(zip(names, given, strict=True))))


def torch(task: Task, size: Size, arrays: dict[str, Any], thorough: bool) -> Iterator[Way]:
    import torch
    from measuring import cores

    torch.set_num_threads(cores())
    numpy = Namespace(
        torch,
        logsumexp=lambda a, axis: torch.logsumexp(a, dim=axis),
        softmax=lambda a, axis: torch.softmax(a, dim=axis),
        softplus=lambda a: torch.logaddexp(torch.zeros((), dtype=a.dtype), a),
    )
    names, wrt = list(arrays), task.names(size)
    given = [torch.tensor(array) for array in arrays.values()]

    def function(*values: Any) -> Any:
        return task.peer(numpy, **dict(zip(names, values, strict=True)))

    single = names.index(wrt[0]) if task.single(size) else tuple(names.index(name) for name in wrt)
    scalar = not function(*given).shape
    of = torch.func
    for mode, transform in _transforms(of.grad, of.jacfwd, of.jacrev, task.order, scalar):
        run = transform(function, argnums=single)
        yield mode, lambda run=run: named(run(*given), task, size)
        if thorough:
            compiled = torch.compile(run)
            yield f"{mode}, compiled", lambda run=compiled: named(run(*given), task, size)
    for mode, make in task.modes.get("torch", {}).items():
        special = make(torch, numpy)
        yield mode, lambda run=special: run(**dict(zip(names, given, strict=True)))


def autograd(task: Task, size: Size, arrays: dict[str, Any], thorough: bool) -> Iterator[Way]:
    import autograd
    import autograd.numpy
    from autograd.scipy.special import logsumexp

    def softmax(a: Any, axis: int) -> Any:
        return autograd.numpy.exp(a - logsumexp(a, axis=axis, keepdims=True))

    def softplus(a: Any) -> Any:
        return autograd.numpy.logaddexp(0, a)

    numpy = Namespace(autograd.numpy, logsumexp=logsumexp, softmax=softmax, softplus=softplus)
    wrt = task.names(size)

    def function(values: Any) -> Any:
        values = (values,) if task.single(size) else values
        return task.peer(numpy, **(arrays | dict(zip(wrt, values, strict=True))))

    point = arrays[wrt[0]] if task.single(size) else tuple(arrays[name] for name in wrt)
    scalar = not np.shape(task.peer(numpy, **arrays))
    if not task.single(size) and (task.order > 1 or not scalar):
        raise NotImplementedError("Jacobians in several variables")
    first = autograd.grad if scalar else autograd.jacobian
    run = first(function) if task.order == 1 else autograd.jacobian(first(function))
    yield first.__name__ if task.order == 1 else "jacobian of grad", lambda: named(run(point), task, size)


def pytensor(task: Task, size: Size, arrays: dict[str, Any], thorough: bool) -> Iterator[Way]:
    if not thorough:
        raise NotImplementedError("compiles for seconds: in the full run only")
    import pytensor
    import pytensor.tensor as pt
    from pytensor.gradient import grad, jacobian

    numpy = Namespace(
        pt,
        logsumexp=lambda a, axis: pt.logsumexp(a, axis=axis),
        softmax=lambda a, axis: pt.special.softmax(a, axis=axis),
        softplus=pt.softplus,
    )
    inputs = {name: pt.tensor(name, dtype="float64", shape=array.shape) for name, array in arrays.items()}
    output = task.peer(numpy, **inputs)
    variables = [inputs[name] for name in task.names(size)]
    found = []
    for variable in variables:
        first = grad(output, variable) if output.ndim == 0 else output
        if output.ndim and task.order > 1:
            raise NotImplementedError("second derivatives of arrays")
        derivative = first if output.ndim == 0 and task.order == 1 else jacobian(first.flatten(), variable)
        found.append(derivative)
    run = pytensor.function(list(inputs.values()), found, on_unused_input="ignore")
    run.trust_input = True
    given = list(arrays.values())

    def call() -> Any:
        results = run(*given)
        return results[0] if task.single(size) else dict(zip(task.names(size), results, strict=True))

    yield "function", call


def tensorgrad(task: Task, size: Size, arrays: dict[str, Any], thorough: bool) -> Iterator[Way]:
    importlib.import_module("tensorgrad")
    import torch

    if not hasattr(torch.Tensor, "refine_names"):
        raise NotImplementedError(f"takes named tensors, which PyTorch {torch.__version__} has no more")
    raise NotImplementedError("no formulation of this task in named tensors was written")
    yield  # a generator, as the others


PEERS: dict[str, Callable[[Task, Size, dict[str, Any], bool], Iterator[Way]]] = {
    "jax": jax,
    "torch": torch,
    "autograd": autograd,
    "pytensor": pytensor,
    "tensorgrad": tensorgrad,
}


def version(name: str) -> str | None:
    """The version of an installed library, None where it is not there."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def named(results: Any, task: Task, size: Size) -> Any:
    """What a transform in several variables returns, by their names."""
    return results if task.single(size) else dict(zip(task.names(size), results, strict=True))


def _transforms(
    grad: Callable[..., Any], forward: Callable[..., Any], back: Callable[..., Any], order: int, scalar: bool
) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The ways to compose forward and reverse mode that may be the fastest."""
    if order == 1 and scalar:
        yield "grad", grad
    elif order == 1:
        yield "jacfwd", forward
        yield "jacrev", back
    else:
        yield "jacfwd of grad", lambda f, argnums: forward(grad(f, argnums=argnums), argnums=argnums)
        yield "jacrev of grad", lambda f, argnums: back(grad(f, argnums=argnums), argnums=argnums)
