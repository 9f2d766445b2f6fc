"""Where rules are tested: the words after `on` in a row, and values to draw from them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Domain:
    """Numbers from `lo` to `hi`, at least `distance` away from each point of `avoid`.

    `whole` restricts them to whole numbers. With `matrix` the word says something of a whole matrix,
    which a test builds from such numbers by the domain's name.
    """

    name: str
    what: str
    lo: float = -2.0
    hi: float = 2.0
    avoid: tuple[float, ...] = ()
    distance: float = 0.1
    whole: bool = False
    matrix: bool = False

    def points(self, count: int, seed: int = 0) -> list[float]:
        """`count` numbers of the domain, the same for the same seed."""
        import random  # takes milliseconds, and only tests draw

        draw = random.Random(f"{self.name} {seed}")
        points: list[float] = []
        while len(points) < count:
            point = draw.randint(int(self.lo), int(self.hi)) if self.whole else draw.uniform(self.lo, self.hi)
            if all(abs(point - a) >= self.distance for a in self.avoid):
                points.append(point)
        return points


_HALVES = tuple(k / 2 for k in range(-5, 6))

DOMAINS = {
    domain.name: domain
    for domain in (
        Domain("real", "any number"),
        Domain("positive", "above 0", 0.2, 3.0),
        Domain("nonzero", "any number but 0", avoid=(0.0,)),
        Domain("open_unit", "between -1 and 1", -0.9, 0.9),
        Domain("unit", "between 0 and 1", 0.1, 0.9),
        Domain("above_one", "above 1", 1.2, 3.0),
        Domain("above_minus_one", "above -1", -0.8, 3.0),
        Domain("off_grid", "neither a whole number nor a half one", avoid=_HALVES),
        Domain("off_whole", "neither a whole number up to 0 nor near one", -1.9, 3.0, (-2.0, -1.0, 0.0), 0.2),
        Domain("near_one", "close to 1, such as a modulus", 0.97, 1.03),
        Domain("low", "a lower bound", -1.5, -1.1),
        Domain("high", "an upper bound", 1.1, 1.5),
        Domain(
            "inside",
            "away from the bounds of low and high",
            -2.5,
            2.5,
            (-1.3, 1.3),
            0.4,
        ),
        Domain("whole", "a whole number from 0", 0, 3, whole=True),
        Domain("zero", "the number 0", 0, 0, whole=True),
        Domain("condition", "0 or 1", 0, 1, whole=True),
        Domain("any_matrix", "any matrix", matrix=True),
        Domain("square", "a square matrix", matrix=True),
        Domain("any_square", "a square matrix, singular ones too", matrix=True),
        Domain("invertible", "a square matrix with an inverse", matrix=True),
        Domain("symmetric", "a symmetric matrix with distinct eigenvalues", matrix=True),
        Domain("positive_definite", "a symmetric matrix with positive eigenvalues", matrix=True),
        Domain("positive_determinant", "a square matrix with a determinant above 0", matrix=True),
        Domain("full_rank", "a matrix of full rank, with distinct singular values", matrix=True),
    )
}
