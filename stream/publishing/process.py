"""The two things that a process does to what it runs: it forks, and it ends."""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from collections.abc import Callable
from typing import Final

__all__ = ["at_end", "follow_forks", "not_at_end"]


_forked: Final[set[weakref.WeakMethod[Callable[[], object]]]] = set()
#: What a child got of its parent: kept for ever, as its end would close it.
_inherited: Final[list[object]] = []
_follows: Final[list[bool]] = []


def follow_forks(begin_anew: Callable[[], object]) -> None:
    """Call a method in every child of a fork, as long as its object lives.

    What it returns is the parent's: it is neither used nor closed.
    """
    _forked.add(weakref.WeakMethod(begin_anew, _forked.discard))
    if not _follows and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)
        _follows.append(True)


def _after_fork() -> None:
    for reference in list(_forked):
        if (begin_anew := reference()) is not None:
            _inherited.append(begin_anew())


def at_end(function: Callable[[], None]) -> None:
    """Call a function when this process ends; children of `multiprocessing` know no atexit."""
    atexit.register(function)
    parallel = sys.modules.get("multiprocessing.process")
    if parallel is not None and parallel.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(None, function, exitpriority=10)


def not_at_end(function: Callable[[], None]) -> None:
    """Take back `at_end`."""
    atexit.unregister(function)
