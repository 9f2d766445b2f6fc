"""The numbers that stand in products: exact as long as nobody brings a float."""

from __future__ import annotations

from fractions import Fraction

from einsumdiff.sizes import as_fraction

Number = int | Fraction | float


def multiply_numbers(a: Number, b: Number) -> Number:
    """The product; exact unless one of them is a float."""
    if isinstance(a, float) or isinstance(b, float):
        return float(a) * float(b)
    return as_fraction(a * b)


def add_numbers(a: Number, b: Number) -> Number:
    """The sum; exact unless one of them is a float."""
    if isinstance(a, float) or isinstance(b, float):
        return float(a) + float(b)
    return as_fraction(a + b)


def power_of_number(base: Number, power: int | Fraction) -> Number | None:
    """`base**power` where it is exact or a float; None where it is neither (`2**(1/2)`)."""
    if isinstance(base, float):
        if base == 0 and power < 0:
            return None
        if base < 0 and isinstance(power, Fraction):
            return None
        return float(base ** float(power))
    if isinstance(power, Fraction) or (base == 0 and power < 0):
        return None
    return as_fraction(Fraction(base) ** power)
