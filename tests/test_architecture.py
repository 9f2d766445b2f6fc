"""The architecture as a list: a module imports only from those above it on this list, which lie below it.

Imports inside functions and under TYPE_CHECKING count as well, for they too are knowledge.
"""

import ast
from pathlib import Path

import pytest

import einsumdiff

PACKAGE = Path(einsumdiff.__file__).parent

LAYERS = """
    errors  data  uncollected  nesting  sizes  properties  tracing  language  language.domains  indexing
    forms  passes
    forms.options  nodes.labels  nodes.numbers  nodes.arrays
    nodes.factors
    nodes.products
    nodes.definitions
    language.tree  nodes  language.faults  packing  tracing.places  language.stored_tables
    costs
    canonical  language.rows  language.build  language.layout  solve  contract  patterns  unfolding
    plan.expressions  program.values
    plan.rewriting  plan.statements  centred
    plan.contents
    language.matrix_faults  tracing.graph  cutting  plan
    program.builder
    program.program
    program  plan.equal  language.build_rows  language.build_matrix  language.matrix_kinds  stored
    indexing.expression
    language.parse  terms  indexing.einstein  meaning  arguments  language.checking
    language.by_sympy  symmetry  pairs
    structure
    language.table  indexing.shapes  indicators  needed  prologue  subspace
    language.matrix_functions  passes.kinds  passes.rewriter  passes.panels
    language.matrix  extension  passes.templates  cumulative
    accounts  indexing.scalars  products  indexing.ranges  indexing.calls  request
    indexing.names  indexing.results  indexing.sizing  vocabulary  indexing.declarations
    indexing.items  indexing.applications  indexing.scope
    indexing.brackets
    indexing.resolve
    indexing.cases  indexing.statements  indexing.known_sizes  matching
    indexing.values
    indexing.operations  indexing.expand
    indexing.asked  partials  simplify
    indexing.placing  indexing.known_places  elimination
    elimination_order
    differentiate
    indexing.gathering  indexing.regrouping
    indexing.joining
    indexing.slicing  indexing.repeating  indexing.running
    indexing.linear  indexing.diagonals  indexing.norms
    indexing.contractions
    indexing.structural
    indexing.ranks
    indexing.index  tracing.functions  tracing.constants
    tracing.brackets
    forms.separate
    forms.storing
    passes.gram  passes.sharing  passes.softmax  passes.reuse  passes.ties  passes.numerals  passes.powers
    passes.widening  passes.totals
    passes.flattening
    distribute  writing  apart  passes.ordering
    outer_sums  recurring  passes.workspace  passes.runs
    passes.blocks
    lower.reading  lower.terms
    lower.definitions
    lower.function
    lower  tracing.recorded  relying
    tracing.tracer
    targets  targets.numpy.flat  targets.numpy.helpers  targets.numpy.text
    targets.numpy.views
    targets.numpy.products  targets.numpy.places
    targets.numpy.expressions
    targets.numpy.statements
    targets.numpy.forms
    forms.patterns
    forms.solving
    forms.compressed
    forms.runtime  forms.assembly
    targets.numba.scalars
    targets.numba.blocks  targets.numba.effort
    targets.numba.entries
    targets.numba.nests
    targets.numba.arrays
    targets.numba.loops
    targets.numba.module
    targets.numpy.module  targets.numpy.loading  targets.numba  evaluate
    targets.numpy
    views  views.letters  views.ranges  views.text
    views.factors
    views.products
    views.writer
    views.index
    tracing.recording  batch  hessians  blocks
    tracing.trace  exact  analytic  sampling  function  vectors
    slopes  weighing
    check
    contracted  optimize  formula
    same  answer
    derivative
    deriving  reading
    short
    cli
    __main__  __init__
"""
"""From the bottom to the top; modules on one line do not know each other."""

LAYER = {name: n for n, line in enumerate(LAYERS.split("\n")) for name in line.split()}

TOP = LAYER["targets"]
"""Up to the targets nothing imports numpy or sympy when it is loaded: the core runs without them."""


def modules():
    """The name within the package of every module that there is, and its syntax tree."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)
        yield name, ast.parse(path.read_text(encoding="utf-8"))


MODULES = dict(modules())


def imports(node):
    """Every `(module, whether it is needed at loading)` below a node."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import():
                yield from ((alias.name, True) for alias in child.names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module, True
                yield from ((f"{module}.{alias.name}", True) for alias in child.names)
            case ast.ImportFrom():
                raise AssertionError("a relative import")
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                yield from ((name, False) for name, _ in imports(child))
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield from ((name, False) for name, _ in imports(child))
            case _:
                yield from imports(child)


def inner(tree):
    """The modules of this package that a module imports."""
    for name, _ in imports(tree):
        head, _, rest = name.partition(".")
        if head == "einsumdiff" and rest in MODULES:
            yield rest


def test_every_module_has_its_place_and_every_place_its_module():
    assert set(MODULES) == set(LAYER)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_those_below_it(module):
    for imported in set(inner(MODULES[module])):
        assert LAYER[imported] < LAYER[module], f"{module} imports {imported}"


@pytest.mark.parametrize("module", [name for name in MODULES if LAYER.get(name, 0) <= TOP])
def test_the_core_is_loaded_without_numpy_and_sympy(module):
    loaded = {name.partition(".")[0] for name, at_loading in imports(MODULES[module]) if at_loading}
    assert not loaded & {"numpy", "sympy", "scipy", "lark"}


@pytest.mark.parametrize(
    "library, places",
    [
        (
            "lark",
            {
                *("language.parse", "language.layout", "language.faults", "language.matrix_faults"),
                *("language.stored_tables",),
                *("language.build", "language.build_rows", "language.build_matrix"),
            },
        ),
        ("sympy", {"views.sympy", "language.by_sympy", "extension"}),
    ],
)
def test_a_library_is_known_in_few_places(library, places):
    found = {
        name
        for name, tree in MODULES.items()
        if any(imported.partition(".")[0] == library for imported, _ in imports(tree))
    }
    assert found <= places


def test_this_test_reads_imports_wherever_they_are():
    tree = ast.parse(
        "import numpy as np\nfrom einsumdiff import nodes\nfrom einsumdiff.errors import Span\n"
        "if TYPE_CHECKING:\n    import lark\ndef f():\n    import sympy\nclass C:\n    import scipy\n"
    )
    found = dict(imports(tree))
    assert found["numpy"] is True
    assert found["scipy"] is True
    assert found["sympy"] is False
    assert found["lark"] is False
    assert set(inner(tree)) == {"nodes", "errors"}
