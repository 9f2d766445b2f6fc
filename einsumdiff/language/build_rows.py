"""The grammar's rules for rows of rule files as functions, beside those for expressions.

What can be said of a row alone is checked here: a domain that there is, a partial for each parameter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from einsumdiff.errors import NameFault, Span, SyntaxFault, nearest
from einsumdiff.language import rows, tree
from einsumdiff.language.build import Builder, is_token
from einsumdiff.language.domains import DOMAINS, Domain
from einsumdiff.language.tree import Tree

if TYPE_CHECKING:
    from lark import Token


@dataclass
class Facts:
    """What a row says besides its head: words, spelling, domains, operator."""

    words: list[str] = field(default_factory=list)
    spelling: rows.Spelling | None = None
    domains: tuple[Domain, ...] = ()
    operator: str = ""
    partials: list[rows.Stated] = field(default_factory=list)


class RowBuilder(Builder):
    """Adds rows to what the parser calls."""

    # -- facts: each is a function that puts itself into Facts

    def word(self, name: Token) -> Any:
        return ("word", str(name))

    def dotted(self, *parts: Token) -> rows.Spelling:
        return rows.Spelling(".".join(parts), template=False, scipy=False)

    def spelling(self, module: Token, text: Any) -> Any:
        if is_token(text):
            template = str(text[1:-1])
            return ("spelling", rows.Spelling(template, template=True, scipy=module == "scipy"))
        return ("spelling", rows.Spelling(text.text, template=False, scipy=module == "scipy"))

    def domains(self, on: Token, *names: Token) -> Any:
        found = []
        for name in names:
            if name.type == "COMMA":
                continue
            if name not in DOMAINS:
                near = nearest(name, DOMAINS) or sorted(DOMAINS)
                raise NameFault(f"there is no domain {name}", self.spot(name), f"known are {', '.join(near)}")
            found.append(DOMAINS[name])
        return ("domains", tuple(found))

    def operator(self, word: Token, text: Token) -> Any:
        return ("operator", str(text[1:-1]))

    def partial(self, d: Token, slash: Token, name: Token, *rest: Any) -> rows.Stated:
        value = rest[-1]
        items: tuple[Tree, ...] = next((part for part in rest[:-1] if isinstance(part, tuple)), ())
        span = self.spot(d, name)
        if d != "d" or not name.startswith("d") or len(name) == 1:
            raise SyntaxFault("a derivative is written d/dx = ...", span, "the d is followed by a parameter")
        stated = None if isinstance(value, tree.Name) and value.name == "unknown" else value
        return rows.Stated(str(name[1:]), items, stated, span)

    def line(self, *parts: Any) -> Facts:
        return self._facts(parts)

    def _facts(self, parts: tuple[Any, ...]) -> Facts:
        facts = Facts()
        for part in parts:
            if isinstance(part, rows.Stated):
                facts.partials.append(part)
            elif isinstance(part, tuple) and part[0] == "word":
                facts.words.append(part[1])
            elif isinstance(part, tuple):
                setattr(facts, part[0], part[1])
        return facts

    # -- signatures

    def parameter(self, name: Token, *rest: Any) -> rows.Parameter:
        pattern = next((part for part in rest if isinstance(part, tuple)), None)
        default = rest[-1] if rest and rest[-1] is not None and not is_token(rest[-1]) else None
        if default is pattern:
            default = None
        others = tuple(str(part) for part in rest if is_token(part) and part.type == "NAME")
        return rows.Parameter(str(name), pattern, default, False, self.spot(name), others)

    def variadic(self, star: Token, name: Token) -> rows.Parameter:
        return rows.Parameter(str(name), None, None, True, self.spot(name))

    def signature(self, *parts: Any) -> tuple[rows.Parameter, ...]:
        return tuple(part for part in parts if isinstance(part, rows.Parameter))

    def axes(self, *parts: Any) -> tuple[Tree, ...]:
        return next((part for part in parts if isinstance(part, tuple)), ())

    # -- rows

    def function(
        self, head: Token, name: Token, parameters: tuple[rows.Parameter, ...], facts: Facts
    ) -> rows.Function:
        span = self.spot(head, name)
        partials = {stated.parameter: stated.value for stated in self._partials(parameters, facts, span)}
        return rows.Function(
            str(name),
            parameters,
            self._spelling(facts, span),
            self._each(facts.domains, parameters, span, needed=True),
            partials,
            boolean="bool" in facts.words,
            mask=head.type == "MASK",
            operator=facts.operator,
            options=tuple(facts.words),
            span=span,
        )

    def operation(
        self,
        head: Token,
        name: Token,
        parameters: tuple[rows.Parameter, ...],
        arrow: Token,
        axes: tuple[Tree, ...],
        facts: Facts,
    ) -> rows.Operation:
        span = self.spot(head, name)
        return rows.Operation(
            str(name),
            parameters,
            axes,
            self._spelling(facts, span),
            self._each(facts.domains, parameters, span, needed=True),
            {stated.parameter: stated for stated in self._partials(parameters, facts, span)},
            tuple(facts.words),
            span,
        )

    def case(self, parameters: tuple[rows.Parameter, ...], *rest: Any) -> tuple[rows.Case, Facts]:
        arrow = next((part for part in rest if is_token(part)), None)
        plain = [part for part in rest if part is not None and not is_token(part)]
        axes = plain.pop(0) if arrow is not None else None
        value = next(part for part in plain if not isinstance(part, tuple))
        return rows.Case(parameters, axes, value, self.extent(value)), self._facts(tuple(plain))

    def definition(self, head: Token, name: Token, *rest: Any) -> rows.Definition:
        span = self.spot(head, name)
        facts = self._facts(tuple(part for part in rest if isinstance(part, tuple) and part[0] == "word"))
        cases = []
        for part in rest:
            if isinstance(part, tuple) and isinstance(part[0], rows.Case):
                cases.append(part[0])
                facts.words += part[1].words
                facts.spelling = facts.spelling or part[1].spelling
                facts.domains = facts.domains or part[1].domains
                facts.operator = facts.operator or part[1].operator
        return rows.Definition(
            str(name),
            tuple(cases),
            facts.spelling,
            self._each(facts.domains, cases[0].parameters, span, needed=False),
            facts.operator,
            tuple(facts.words),
            span,
        )

    def form(
        self, head: Token, name: Token, parameters: tuple[rows.Parameter, ...], *parts: Any
    ) -> rows.Form:
        return rows.Form(str(name), parameters, tuple(self._facts(parts).words), self.spot(head, name))

    def alias(self, head: Token, name: Token, target: Token) -> rows.Alias:
        return rows.Alias(str(name), str(target), self.spot(head, target))

    def constant(self, head: Token, name: Token, value: Tree, *parts: Any) -> rows.NamedNumber:
        span = self.spot(head, name)
        if isinstance(value, tree.Name) and value.name == "nan":
            number = float("nan")
        elif isinstance(value, tree.Number):
            number = float(value.value)
        else:
            raise SyntaxFault("a constant is a number", self.extent(value), "write its digits")
        return rows.NamedNumber(str(name), number, self._spelling(self._facts(parts), span), span)

    def by_sympy(
        self, head: Token, name: Token, parameters: tuple[rows.Parameter, ...], facts: Facts
    ) -> rows.BySymPy:
        span = self.spot(head, name)
        domains = self._each(facts.domains, parameters, span, needed=True)
        return rows.BySymPy(str(name), parameters, facts.spelling, domains, tuple(facts.words), span)

    def identity(self, head: Token, left: Tree, right: Tree, *parts: Any) -> rows.Identity:
        facts = self._facts(parts)
        span = self.spot(head).to(self.extent(right))
        return rows.Identity(left, right, facts.domains, tuple(facts.words), span)

    # -- checks

    def _spelling(self, facts: Facts, span: Span) -> rows.Spelling:
        if facts.spelling is None:
            raise SyntaxFault("this row lacks its NumPy spelling", span, "add  numpy NAME  or  scipy NAME")
        return facts.spelling

    def _each(
        self, domains: tuple[Domain, ...], parameters: tuple[rows.Parameter, ...], span: Span, needed: bool
    ) -> tuple[Domain, ...]:
        """One domain for each parameter: as many as that, or one for all."""
        if not domains and not needed:
            return ()
        if not domains:
            raise SyntaxFault("this row lacks the domain where it is tested", span, "add  on real")
        if len(domains) not in (1, len(parameters)):
            raise SyntaxFault(
                f"{len(parameters)} parameters have {len(domains)} domains", span, "give one, or one for each"
            )
        return domains if len(domains) == len(parameters) else domains * len(parameters)

    def _partials(
        self, parameters: tuple[rows.Parameter, ...], facts: Facts, span: Span
    ) -> list[rows.Stated]:
        """The stated partials: one for each parameter, none for anything else."""
        names = [parameter.name for parameter in parameters]
        stated: set[str] = set()
        for partial in facts.partials:
            if partial.parameter not in names:
                raise NameFault(
                    f"{partial.parameter} is no parameter", partial.span, f"they are {', '.join(names)}"
                )
            if partial.parameter in stated:
                raise SyntaxFault(f"d/d{partial.parameter} is stated twice", partial.span, "keep one")
            stated.add(partial.parameter)
        missing = [name for name in names if name not in stated]
        if missing:
            raise SyntaxFault(
                f"the partial in {missing[0]} is missing",
                span,
                f"add  d/d{missing[0]} = ...  (0 where it is zero, unknown to refuse it)",
            )
        return facts.partials
