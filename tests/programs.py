"""Programs built without the parser, for tests of the calculus and of the lowering."""

import numpy as np

from einsumdiff.differentiate import Elimination, differentiate, further
from einsumdiff.evaluate import evaluate, evaluate_terms
from einsumdiff.lower import lower
from einsumdiff.nodes import Definition, Entry, Input, Label, bare, multiply, product
from einsumdiff.program import Builder, Program, Value, read
from einsumdiff.sizes import evaluate as size_of
from einsumdiff.sizes import names, symbol
from einsumdiff.targets.numpy import load, source

l, m, n, k, p, q = (symbol(name) for name in "lmnkpq")
SIZES = {"l": 2, "m": 3, "n": 5, "k": 2, "p": 4, "q": 7}


def program(build, shapes):
    """The program whose output `build(builder, inputs)` defines."""
    inputs = {name: Input(name, shape) for name, shape in shapes.items()}
    builder = Builder(
        taken=set(inputs) | {s for shape in shapes.values() for size in shape for s in names(size)}
    )
    output = build(builder, inputs)
    if not isinstance(output, Definition):
        output = builder.define(read(output), "y", force=True)
    return Program("", tuple(inputs.values()), output, inputs, (), builder)


def arrays(what, sizes, seed=0, positive=False):
    random = np.random.default_rng(seed)
    values = {}
    for array in what.inputs:
        drawn = random.standard_normal([size_of(size, sizes) for size in array.shape])
        values[array] = np.abs(drawn) + 0.3 if positive else drawn
    return values


def oracle_value(what, values, sizes):
    return evaluate([what.output], values, sizes)[what.output]


def oracle_jacobian(jacobian, values, sizes):
    return evaluate_terms(jacobian.terms, jacobian.shape, values, sizes)


def differences(f, x, step=1e-3):
    """Central differences of sixth order; axes: those of f, then those of x."""
    columns = []
    for place in np.ndindex(x.shape):
        total = 0
        for steps, weight in ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60)):
            up, down = x.copy(), x.copy()
            up[place] += steps * step
            down[place] -= steps * step
            total = total + weight / step * (f(up) - f(down))
        columns.append(total)
    if not columns:
        return np.zeros(np.shape(f(x)) + x.shape)
    stacked = np.moveaxis(np.array(columns), 0, -1)
    return stacked.reshape(stacked.shape[:-1] + x.shape)


def generated(what, results, value=False):
    """The generated function of some results, and its text."""
    text = source(lower(what, results, value=value), "test")
    return load(text, "f"), text


def first(what, name, mode="auto"):
    (jacobian,) = differentiate(what, [what.arrays[name]], Elimination(mode))
    return jacobian


def second(what, jacobian, name, mode="auto"):
    (again,) = further(what, jacobian, [what.arrays[name]], Elimination(mode))
    return again


def matmul(builder, a, b):
    """The matrix product of two values of rank 1 or 2."""
    shared = a.axes[-1]
    b = b.relabel((shared, *b.axes[1:]))
    joint = multiply(builder.factor(a), builder.factor(b))
    return builder.sum(Value((*a.axes[:-1], shared, *b.axes[1:]), (joint,)), [shared])


def convolution(builder, x, w, step=1):
    """`z[i] = x[step*i + k]*w[k]` over all i in bounds."""
    (length,), (width,) = x.shape, w.shape
    i, tap = Label((length - width) // step + 1 if step > 1 else length - width + 1), Label(width)
    place = bare(i).times(step) + bare(tap)
    joint = product(1, [Entry(x, (place,)), Entry(w, (bare(tap),))], [tap])
    return Value((i,), (joint,))


def total(builder, value, name="y"):
    """The sum of the squares of a value, as the output."""
    squared = builder.multiply(value, value)
    return builder.define(builder.sum(squared, squared.axes), name)
