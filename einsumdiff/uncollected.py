"""Deriving without the search for cycles.

The nodes of a program hold no cycles: what nobody needs is freed at once. Python's collector finds nothing
in them, but looks through all that there are each time that their number has grown by a quarter, which for
a program of ten thousand terms takes a third of the time.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_running = 0  # how many are inside, in all threads
_was_on = False


@contextmanager
def uncollected() -> Iterator[None]:
    """The collector waits, in all threads, until the last that is inside has left; then it is as before."""
    global _running, _was_on
    with _lock:
        if _running == 0:
            _was_on = gc.isenabled()
            gc.disable()
        _running += 1
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            if _running == 0 and _was_on:
                if not gc.get_freeze_count():  # what is new is old now, so that it is not searched at once
                    gc.freeze()
                    gc.unfreeze()
                gc.enable()
