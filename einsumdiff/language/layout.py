"""From lark's tokens to the tokens that the grammar speaks of.

Newlines inside brackets go, and whatever frames pasted code: import lines, a `def` header with its
decorators, a docstring, the word `return`. What cannot be part of any program (a bracket that is not
closed, a Python keyword) is refused here, where its place is still known.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

from einsumdiff.errors import NameFault, SyntaxFault, Unsupported
from einsumdiff.language.faults import Spot, unexpected_character

if TYPE_CHECKING:
    from lark import Token

OPENING = {"LPAR": "RPAR", "LSQB": "RSQB"}
CLOSING = {"RPAR": "(", "RSQB": "["}
HEADS = {"fn", "mask", "def", "op", "form", "alias", "constant", "identity", "sympy"}
SUBMODULES = {"linalg", "special", "nn", "numpy", "scipy"}
FACTS = {"numpy", "scipy", "on", "operator"}

# What a program writes in place of a Python keyword.
INSTEAD = {
    "if": "where(condition, a, b) chooses between two values",
    "else": "where(condition, a, b) chooses between two values",
    "elif": "where(condition, a, b) chooses between two values",
    "for": "a program has no loops: write sum[i](...), prod[i](...) or whole-array operations",
    "while": "a program has no loops: write sum[i](...), prod[i](...) or whole-array operations",
    "and": "write & between comparisons in brackets: (a > 0) & (b > 0)",
    "or": "write | between comparisons in brackets: (a > 0) | (b > 0)",
    "not": "write ~ before a comparison in brackets: ~(a > 0)",
    "lambda": "write the function's body where it is used",
    "def": "a program is the body of one function: paste them one at a time",
    "class": "a program is the body of one function",
    "in": "a program holds assignments and expressions",
    "is": "compare with ==",
}


class Layout:
    """One pass over the tokens of a text. `kind` is the start symbol that will read them."""

    def __init__(self, text: str, tokens: Iterable[Token], kind: str, spot: Spot) -> None:
        self.text, self.tokens, self.kind, self.spot = text, list(tokens), kind, spot
        self.laid: list[Token] = []  # what `run` has given
        self._imported: dict[str, str] = {}  # names that import lines bring, as dotted paths

    def run(self) -> list[Token]:
        """The tokens for the grammar."""
        self._identifiers()
        tokens = self._continue_in_brackets()
        self.laid = self._row(tokens) if self.kind == "row" else self._statements(tokens)
        return self.laid

    def _identifiers(self) -> None:
        """Names are Python's: what looks like a letter to a regular expression may be a power."""
        for token in self.tokens:
            if token.type == "NAME" and not token.isidentifier():
                assert token.start_pos is not None
                at = next(n for n in range(1, len(token) + 1) if not token[:n].isidentifier()) - 1
                raise unexpected_character(self.text, token.start_pos + at, self.spot)

    def _continue_in_brackets(self) -> list[Token]:
        """Without the newlines inside brackets; every bracket has its partner."""
        kept, open_brackets = [], []
        for token in self.tokens:
            if token.type in OPENING:
                open_brackets.append(token)
            elif token.type in CLOSING:
                if not open_brackets:
                    want = CLOSING[token.type]
                    raise SyntaxFault(
                        f"this {token} closes nothing", self.spot(token), f"open it with {want}"
                    )
                opened = open_brackets.pop()
                if OPENING[opened.type] != token.type:
                    want = ")" if opened.type == "LPAR" else "]"
                    raise SyntaxFault(
                        f"{opened} is closed by {token}", self.spot(opened, token), f"close it with {want}"
                    )
            elif token.type == "NEWLINE" and open_brackets:
                if token == ";":
                    break
                continue
            kept.append(token)
        if open_brackets:
            opened = open_brackets[-1]
            want = ")" if opened.type == "LPAR" else "]"
            raise SyntaxFault(f"this {opened} is never closed", self.spot(opened), f"close it with {want}")
        return kept

    def _row(self, tokens: list[Token]) -> list[Token]:
        """Words of the rule language as tokens of their own, line ends as BREAK."""
        following = [*tokens[1:], None]
        tokens = [
            token
            for token, after in zip(tokens, following, strict=True)
            if token.type != "NEWLINE" or (after is not None and after.type != "NEWLINE")
        ]
        if tokens and tokens[0] in HEADS:
            tokens[0].type = tokens[0].upper()
        for token in tokens:
            if token.type == "NEWLINE":
                token.type = "BREAK"
            elif token.type == "NAME" and token in FACTS:
                token.type = token.upper()
        return tokens

    def _statements(self, tokens: list[Token]) -> list[Token]:
        """One NEWLINE between statements, none at the ends; no frame of pasted code."""
        kept: list[Token] = []
        in_function = returned = False
        indent = 0
        at = 0
        while at < len(tokens):
            token = tokens[at]
            if token.type == "NEWLINE":
                at += 1
                continue
            # Here a statement starts.
            stop = at
            while stop < len(tokens) and tokens[stop].type != "NEWLINE":
                stop += 1
            if token in ("import", "from") and stop > at + 1 and tokens[at + 1].type in ("NAME", "PREFIX"):
                self._import(token, tokens[stop - 1])
                at = stop
                continue
            if token.type == "AT" and self._decorates(tokens, stop):
                at = stop
                continue
            if token == "def" and not in_function and stop > at + 1 and tokens[at + 1].type == "NAME":
                body = self._after_header(tokens, at, stop)
                tokens = self._with_defaults(tokens[at + 1 : body], tokens[body:])
                at = 0
                in_function = True
                continue
            if token.type in ("STRING", "LONG_STRING") and stop == at + 1:
                at = stop
                continue
            if returned:
                raise SyntaxFault(
                    "this comes after `return`",
                    self.spot(token, tokens[stop - 1]),
                    "a program ends with the value that is returned",
                )
            if token == "return":
                returned = True
                at += 1
                if at == stop:
                    raise SyntaxFault(
                        "`return` returns nothing", self.spot(token), "write the value after it"
                    )
            column = self._column(token)
            begins = self._begins_line(token)
            if kept:
                self._not_a_continuation(token, begins and column > indent)
                kept.append(tokens[at - 1] if tokens[at - 1].type == "NEWLINE" else self._newline(tokens, at))
            indent = column if begins else indent
            self._no_keywords(tokens, at, stop)
            kept.extend(self._qualified(tokens[at:stop]) if self._imported else tokens[at:stop])
            at = stop
        if not kept:
            raise SyntaxFault("there is nothing to read", None, "a program looks like  y = sum(W*X + b)")
        return kept

    def _import(self, first: Token, last: Token) -> None:
        """Note what an import line brings: `special` is scipy.special after `from scipy import special`."""
        import ast

        try:
            (line,) = ast.parse(self.text[first.start_pos : last.end_pos]).body
        except (SyntaxError, ValueError):
            return
        match line:
            case ast.Import(names):
                for name in names:
                    top = name.name.partition(".")[0]
                    self._imported[name.asname or top] = name.name if name.asname else top
            case ast.ImportFrom(module, names):
                for name in names:
                    self._imported[name.asname or name.name] = f"{module}.{name.name}"

    def _qualified(self, tokens: list[Token]) -> list[Token]:
        """An imported name before a dot or a call is written with its path: `scipy.special.softmax`."""
        given: list[Token] = []
        for place, token in enumerate(tokens):
            path = self._imported.get(token, "")
            after = tokens[place + 1] if place + 1 < len(tokens) else None
            if token.type == "SKIP":
                continue
            if given and given[-1].type == "PREFIX" and token in SUBMODULES and after == ".":
                given[-1] = given[-1].update(value=f"{given[-1]}{token}.")
                given[-1].end_pos = after.end_pos
                after.type = "SKIP"
            elif token.type != "NAME" or not path or after is None or (given and given[-1] == "."):
                given.append(token)
            elif after == ".":
                new = type(token)
                given.append(new("PREFIX", f"{path}.", start_pos=token.start_pos, end_pos=after.end_pos))
                after.type = "SKIP"
            elif after.type == "LPAR" and "." in path:
                module, _, name = path.rpartition(".")
                at, new = token.start_pos, type(token)
                given.append(new("PREFIX", f"{module}.", start_pos=at, end_pos=at))
                given.append(new("NAME", name, start_pos=at, end_pos=token.end_pos))
            else:
                given.append(token)
        return given

    def _decorates(self, tokens: Sequence[Token], stop: int) -> bool:
        """Whether the line that ends at `stop` stands above a function."""
        return any(t == "def" and t.type == "NAME" for t in tokens[stop : stop + 2])

    def _newline(self, tokens: Sequence[Token], at: int) -> Token:
        """A NEWLINE before `tokens[at]`, for where the one that was typed has gone."""
        token = tokens[at]
        return type(token)("NEWLINE", ";", start_pos=token.start_pos, end_pos=token.start_pos)

    def _column(self, token: Token) -> int:
        assert token.start_pos is not None
        return token.start_pos - (self.text.rfind("\n", 0, token.start_pos) + 1)

    def _after_header(self, tokens: Sequence[Token], at: int, stop: int) -> int:
        """The place after `def f(x: array, n=3) -> array:`."""
        depth = 0
        for place in range(at, stop):
            kind = tokens[place].type
            depth += (kind in OPENING) - (kind in CLOSING)
            if kind == "COLON" and depth == 0:
                return place + 1
        raise SyntaxFault("this `def` has no colon", self.spot(tokens[at], tokens[stop - 1]), "end it with :")

    def _with_defaults(self, header: list[Token], body: list[Token]) -> list[Token]:
        """The body of a function behind its defaults: `a=2` is the statement `a = 2`.

        A default that is no number (None, True, "fro") stands in the place of its name. One that the
        body does not read is left out.
        """
        first: list[Token] = []
        for name, default in _defaults(header):
            read = [t for t, after in zip(body, [*body[1:], None], strict=True) if t == name and after != "="]
            if not any(token.type == "NAME" for token in read):
                continue
            (one, *more) = default
            if not more and (one in ("None", "True", "False") or one.type in ("STRING", "LONG_STRING")):
                body = [one if any(token is t for t in read) else token for token in body]
                continue
            new = type(one)
            equals = new("EQUAL", "=", start_pos=name.start_pos, end_pos=one.start_pos)
            end = new("NEWLINE", ";", start_pos=default[-1].end_pos, end_pos=default[-1].end_pos)
            first += [name, equals, *default, end]
        return first + body

    def _begins_line(self, token: Token) -> bool:
        before = self.text[: token.start_pos].rpartition("\n")[2]
        return not before.strip()

    def _not_a_continuation(self, token: Token, deeper: bool) -> None:
        """A statement does not begin with an operator: the line before was meant to go on."""
        binary = {"PLUS", "STAR", "AT", "SLASH", "FLOOR", "PERCENT", "POWER", "COMPARE", "AND", "OR"}
        if token.type in binary or (token.type == "MINUS" and deeper):
            raise SyntaxFault(
                f"a line cannot begin with `{token}`",
                self.spot(token),
                "put an expression that goes over several lines in brackets",
            )

    def _no_keywords(self, tokens: Sequence[Token], at: int, stop: int) -> None:
        """Python's keywords are no names, and none of its statements is understood."""
        for place in range(at, stop):
            token = tokens[place]
            if token.type != "NAME" or not keyword.iskeyword(token) or token in ("None", "True", "False"):
                continue
            before = tokens[place - 1].type if place > at else ""
            after = tokens[place + 1].type if place + 1 < stop else ""
            self._refuse_keyword(token, before, after)

    def _refuse_keyword(self, token: Token, before: str, after: str) -> NoReturn:
        operand_before = before in ("NAME", "NUMBER", "STRING", "RPAR", "RSQB")
        operand_after = after in ("NAME", "NUMBER", "STRING", "PREFIX", "LPAR", "TILDE")
        opens = token in ("not", "lambda") and (
            operand_after or after == "MINUS" or (before and after == "COLON")
        )
        if (operand_before and operand_after) or opens or (not before and operand_after):
            hint = INSTEAD.get(token, "a program holds assignments, declarations and expressions")
            raise Unsupported(f"`{token}` is not understood in a program", self.spot(token), hint)
        other = "lam" if token == "lambda" else f"{token}_"
        raise NameFault(
            f"`{token}` is a Python keyword and cannot be a name", self.spot(token), f"call it {other}"
        )


def _defaults(header: Sequence[Token]) -> Iterator[tuple[Token, list[Token]]]:
    """The parameters of `f(x: array, a=2)` that have a default, with its tokens."""
    depth, begin, parts = 0, 0, []
    for place, token in enumerate(header):
        opened = depth
        depth += (token.type in OPENING) - (token.type in CLOSING)
        if opened == 0 and depth == 1:
            begin = place + 1
        elif (depth == 1 and token.type == "COMMA") or (opened == 1 and depth == 0):
            parts.append(header[begin:place])
            begin = place + 1
    for part in parts:
        at = next((k for k, token in enumerate(part) if token == "="), None)
        if at is not None and part[0].type == "NAME" and at + 1 < len(part):
            yield part[0], list(part[at + 1 :])
