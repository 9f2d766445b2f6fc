"""The index form: labels, affine forms, factors, products, terms, and the bodies of definitions.

A **term** is the one object of the calculus: a tuple of affine forms, one for each axis of an array,
and a product over labels. It means

    array[forms(labels)] += product(labels)      for every value of every label,

so a bare label writes an axis, the same label twice a diagonal, `i + k` a band. A definition is a sum
of terms; a derivative is a sum of terms whose axes are those of the output followed by those of the
wrt. Kronecker's deltas are equal labels, never arrays.

Labels are compared by identity: two terms never share a bound label. What is equal up to the names of
labels has the same `term_key` (in `canonical`).
"""

from einsumdiff.nodes.arrays import Array, Constant, Input, is_one_hot
from einsumdiff.nodes.definitions import (
    Body,
    Call,
    Definition,
    OneHot,
    Operand,
    Operate,
    Reduce,
    Sum,
    Term,
    body_arrays,
    body_axes,
)
from einsumdiff.nodes.factors import (
    Entry,
    Extent,
    Factor,
    Guard,
    Mask,
    decide,
    factor_labels,
    substitute_factor,
    whole_place,
)
from einsumdiff.nodes.labels import Form, Label, bare, constant_form
from einsumdiff.nodes.numbers import Number, add_numbers, multiply_numbers, power_of_number
from einsumdiff.nodes.products import ONE, ZERO, Product, counted, multiply, product

__all__ = [
    "Array",
    "Body",
    "Call",
    "Constant",
    "Definition",
    "Entry",
    "Extent",
    "Factor",
    "Form",
    "Guard",
    "Input",
    "Label",
    "Mask",
    "Number",
    "ONE",
    "OneHot",
    "Operand",
    "Operate",
    "Product",
    "Reduce",
    "Sum",
    "Term",
    "ZERO",
    "add_numbers",
    "bare",
    "body_arrays",
    "body_axes",
    "constant_form",
    "counted",
    "decide",
    "factor_labels",
    "is_one_hot",
    "multiply",
    "multiply_numbers",
    "power_of_number",
    "product",
    "substitute_factor",
    "whole_place",
]
