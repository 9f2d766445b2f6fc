"""Recursion on a list in place of Python's stack, so that expressions may be nested to any depth.

A function that would call itself on the parts of its argument is a generator: it yields each call and gets
the result.

    def depth(node):                                     def depth(node):
        return 1 + max(depth(p) for p in node)               found = [0]
                                                             for p in node:
                                                                 found.append((yield depth(p)))
                                                             return 1 + max(found)

`run(depth(node))` keeps the generators that wait for a result in a list. What is done, and in which order,
is the same as in the recursion, and neither Python's limit nor the stack of C matters. A function that has
its result at once may return it as it is: only what has to wait need be a generator.
"""

from __future__ import annotations

from collections.abc import Generator
from types import GeneratorType
from typing import Any, TypeAlias, TypeVar, overload

T = TypeVar("T")

Waiting: TypeAlias = Generator[Any, Any, T]
"""Steps that lead to a result of type T: they yield the steps of a part, and get its result."""

Steps: TypeAlias = Waiting[T] | T
"""Such steps, or the result as it is."""


@overload
def run(steps: Waiting[T]) -> T: ...


@overload
def run(steps: Steps[T]) -> T: ...


def run(steps: Steps[T]) -> T:
    """The result of the steps. What a step raises is raised where it was asked for, as in a recursion."""
    found: Any = steps
    if type(found) is not GeneratorType:
        result: T = found
        return result
    one: Generator[Any, Any, Any] = found
    found = None
    waiting: list[Generator[Any, Any, Any]] = []
    fault: Exception | None = None
    while True:
        try:
            if fault is None:
                found = one.send(found)
            else:
                raised, fault = fault, None
                found = one.throw(raised)
        except StopIteration as end:
            found = end.value
            if type(found) is not GeneratorType:
                if not waiting:
                    result = found
                    return result
                one = waiting.pop()
                continue
            one, found = found, None
        except Exception as error:
            if not waiting:
                raise
            one, fault = waiting.pop(), error
        else:
            if type(found) is GeneratorType:
                waiting.append(one)
                one, found = found, None
