"""A plan as NumPy source: straight-line, self-contained, readable.

Axes are laid out here: every expression knows which label each of its axes is, and is transposed or
given a new axis where an operation needs it. Matrix products become `@` on views; `np.einsum` is left
for what is neither that nor elementwise.
"""

from einsumdiff.targets.numpy.loading import load
from einsumdiff.targets.numpy.module import source

__all__ = ["load", "source"]
