"""What all tests share: how hypothesis searches, and where the repository is."""

import os
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("steady", derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("search", max_examples=2000, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture
def checkout() -> Path:
    """The repository's root; a test that needs it is skipped where only the tests were copied."""
    if not (CHECKOUT / "einsumdiff" / "__init__.py").exists():
        pytest.skip("the tests run outside of a checkout")
    return CHECKOUT
