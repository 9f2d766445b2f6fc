"""The tests notice each bug of `planted.py`."""

import planted
import pytest


@pytest.mark.parametrize("bug", planted.BUGS, ids=[bug[0] for bug in planted.BUGS])
def test_the_tests_notice(checkout, bug):
    found, last = planted.caught(checkout, bug)
    assert found, f"not noticed: {last}"
