"""A plan as loops that numba compiles."""

from einsumdiff.targets.numba.module import source

__all__ = ["source"]
