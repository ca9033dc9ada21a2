"""The two things that a process does to what it runs: it forks, and it ends."""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["at_end", "follow_forks", "not_at_end"]


class Forked(Protocol):
    """What has to begin anew in a child."""

    def _begin_in_child(self) -> object:
        """Begin anew; what is returned is the parent's, and is neither used nor closed."""


_forked: Final[weakref.WeakSet[Forked]] = weakref.WeakSet()
#: What a child got of its parent: kept for ever, as its end would close it.
_inherited: Final[list[object]] = []
_follows: Final[list[bool]] = []


def follow_forks(one: Forked) -> None:
    """Let it begin anew in every child of a fork, as long as it lives."""
    _forked.add(one)
    if not _follows and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)
        _follows.append(True)


def _after_fork() -> None:
    for one in list(_forked):
        _inherited.append(one._begin_in_child())


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
