"""From terms and definitions to a plan."""

from einsumdiff.lower.function import lower

__all__ = ["lower"]
