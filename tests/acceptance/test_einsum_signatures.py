"""Einsum signatures from the tests of autograd, JAX, AutoHOOT, pytensor and others, in every operand.

The rule: the Jacobian in an operand is the einsum with that operand removed and one identity matrix for
each of its axes added, each with one fresh label that joins the output. Repeated labels, labels summed
alone and outer products are all covered by it.
"""

import string

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import derive

SIGNATURES = """
ij->ji ii->i ii-> ij-> ij->j ij->i ij,ij->ij ij,ji->ij ij,ji->ji ij,jk->ik kj,ji->ki ij,kj->ik ik,kj->ikj
ij,kl->ijkl ij,jk,kl->il kl,ij,jk->il oij,imj,mjkn,lnk,plk->op
i,j,k->ijk ij,j->i ijk,j->i iji,i->j ij,ij-> nij,jk->nik sa,shb->shab ijk->j ijk->kij ijk->ki iii-> iij->i
iii->i iijkk->i iijkk->ik iijkl->il ij->ij ijj,k->ik ij,ij,jk->ik
abc,bad->abcd abcdef,bcdfg->abcdeg ea,fb,abcd,gc,hd->efgh a,a-> a,a->a ba,b-> defab,fedbc->defac aa->a
ab,ab,c->c aab,bc->ac aab,bcc->ac fdf,cdd,ccd,afe->ae fff,fae,bef,def->abd
ijk,lji->lki ijk,lji,lli->lki k,nk-> abcd->bd nd,nn->d ikl,jkl->ijk ij,ab->ab i,ij,j->
""".split()

ELLIPSES = """
...ijk->...ki ij...,jk...->ik... ab...,bc...->ac... ...abc,...abcd->...d a...a->a... abc...->cba...
...ab->...a ab...,b->ab... ...ij,...jk->...ik jk...,lj...->lk... j...k,lj...->lk... ...k,...nk->...
""".split()

IMPLICIT = {"kj,ji": "kj,ji->ik", "ba": "ba->ab", "ii": "ii->", "ij,jh": "ij,jh->hi"}
"""Without an arrow: the labels that occur once, in alphabetical order, as `np.einsum` has it."""


def sizes_of(signature):
    """Distinct sizes where there are few labels, else 2 and 3 in turn, so that no Jacobian is large."""
    labels = sorted(set(signature) & set(string.ascii_letters))
    sizes = (2, 3, 5, 7) if len(labels) <= 4 else (2, 3) * len(labels)
    return dict(zip(labels, sizes, strict=False))


def operands_of(signature):
    """The operands' names and shapes: `A, B, C, ...` in order."""
    sizes = sizes_of(signature)
    inputs = signature.split("->")[0].split(",")
    return {
        name: tuple(sizes[label] for label in labels)
        for name, labels in zip(string.ascii_uppercase, inputs, strict=False)
    }


def jacobian_by_identities(signature, arrays, position):
    """The rule of this file's head, in NumPy; axes: output, then those of the operand."""
    inputs, output = signature.split("->")
    labels = inputs.split(",")
    sizes = sizes_of(signature)
    operand = labels.pop(position)
    others = [array for n, array in enumerate(arrays.values()) if n != position]
    fresh = [letter for letter in string.ascii_letters if letter not in signature][: len(operand)]
    pairs = [label + new for label, new in zip(operand, fresh, strict=True)]
    identities = [np.eye(sizes[label]) for label in operand]
    return np.einsum(
        ",".join(labels + pairs) + "->" + output + "".join(fresh), *others, *identities, optimize=True
    )


def program_of(signature, arrays):
    return f'einsum("{signature}", {", ".join(arrays)})'


def cases(signatures):
    return [
        pytest.param(signature, position, id=f"{signature} by {string.ascii_uppercase[position]}")
        for signature in signatures
        for position in range(signature.split("->")[0].count(",") + 1)
    ]


@pytest.mark.parametrize("signature, position", cases(SIGNATURES))
def test_the_rule_is_the_slope_of_numpy_einsum(signature, position):
    arrays = sample(operands_of(signature))
    slope = numerical_jacobian(
        lambda **given: np.einsum(signature, *(given[name] for name in arrays)),
        arrays,
        string.ascii_uppercase[position],
        step=0.1,  # multilinear up to a power that the stencil takes exactly
    )
    assert_close(jacobian_by_identities(signature, arrays, position), slope, 1e-9)


@pytest.mark.parametrize("signature, position", cases(SIGNATURES))
def test_jacobian_follows_the_rule(signature, position):
    shapes = operands_of(signature)
    arrays = sample(shapes)
    d = derive(program_of(signature, arrays), wrt=string.ascii_uppercase[position], shapes=shapes)
    assert_close(d(**arrays), jacobian_by_identities(signature, arrays, position), 1e-9)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_bare_signature_is_a_program_and_its_sizes_may_stay_symbolic(signature):
    arrays = sample(operands_of(signature))
    d = derive(signature, wrt="A")
    assert_close(d(**arrays), jacobian_by_identities(signature, arrays, 0), 1e-9)


@pytest.mark.parametrize("short, full", IMPLICIT.items())
def test_without_an_arrow_the_output_is_what_numpy_makes_it(short, full):
    shapes = operands_of(full)
    arrays = sample(shapes)
    np.testing.assert_array_equal(np.einsum(short, *arrays.values()), np.einsum(full, *arrays.values()))
    d = derive(program_of(short, arrays), wrt="A", shapes=shapes)
    assert_close(d(**arrays), jacobian_by_identities(full, arrays, 0), 1e-9)


@pytest.mark.parametrize("axes", ["", "Y", "YZ"], ids=["no axis", "one axis", "two axes"])
@pytest.mark.parametrize("signature, position", cases(ELLIPSES))
def test_an_ellipsis_stands_for_the_axes_that_are_left(signature, position, axes):
    full = signature.replace("...", axes)
    shapes = operands_of(full)
    arrays = sample(shapes)
    d = derive(program_of(signature, arrays), wrt=string.ascii_uppercase[position], shapes=shapes)
    assert_close(d(**arrays), jacobian_by_identities(full, arrays, position), 1e-9)


@pytest.mark.parametrize("signature", ["i,ij,j->", "ij,jk,kl->il", "ij,ij,jk->ik", "fdf,cdd,ccd,afe->ae"])
def test_the_mixed_second_derivative_applies_the_rule_twice(signature):
    shapes = operands_of(signature)
    arrays = sample(shapes)
    mixed = derive(derive(program_of(signature, arrays), wrt="A", shapes=shapes), wrt="B")

    def jacobian(**given):
        return jacobian_by_identities(signature, {name: given[name] for name in arrays}, 0)

    slope = numerical_jacobian(jacobian, arrays, "B", step=0.1)
    assert_close(mixed(**arrays), slope, 1e-9)


@pytest.mark.parametrize("signature", ["i,i->", "ij,ji->", "ij,jk->ik", "ii,ij->j"])
def test_the_hessian_in_a_repeated_operand_is_symmetric_and_right(signature):
    """One and the same array in both places: the rule for each place, differentiated by the other."""
    shape = {"i,i->": (3,)}.get(signature, (3, 3))
    A = sample({"A": shape}, seed=4)["A"]
    d = derive(f'einsum("{signature}", A, A)', wrt="A", shapes={"A": shape}, order=2)

    def jacobian(A):
        inputs, output = signature.split("->")
        left, right = inputs.split(",")
        fresh = "xy"[: len(shape)]
        result = 0
        for kept, gone in ((left, right), (right, left)):
            pairs = ",".join(label + new for label, new in zip(gone, fresh, strict=True))
            result = result + np.einsum(f"{kept},{pairs}->{output}{fresh}", A, *[np.eye(3)] * len(shape))
        return result

    hessian = d(A=A)
    assert_close(hessian, numerical_jacobian(jacobian, {"A": A}, "A", step=0.1), 1e-9)
    n = len(shape)
    there, back = tuple(range(-2 * n, -n)), tuple(range(-n, 0))
    np.testing.assert_allclose(hessian, np.moveaxis(hessian, there + back, back + there), rtol=1e-12)
