"""driftstream with every thread under cProfile: `python -m benchmarks.profiled OUT ARGUMENTS`.

One profile a thread, added up: the consumer of Faust has a thread of its own.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import threading
from collections.abc import Callable
from typing import Any

_DONE: list[cProfile.Profile] = []


def _profiled(run: Callable[..., Any]) -> Callable[..., Any]:
    def inner(*args: Any, **more: Any) -> Any:
        profile = cProfile.Profile()
        try:
            profile.enable()
        except ValueError:  # from Python 3.12 on only one thread can be profiled
            return run(*args, **more)
        try:
            return run(*args, **more)
        finally:
            profile.disable()
            _DONE.append(profile)

    return inner


def main() -> None:
    """Run the command and write what was measured."""
    out = sys.argv.pop(1)
    threading.Thread.run = _profiled(threading.Thread.run)  # type: ignore[method-assign]
    from stream.cli import main as command

    try:
        _profiled(command)()
    finally:
        stats = pstats.Stats(_DONE[0])
        for profile in _DONE[1:]:
            stats.add(profile)
        stats.dump_stats(out)


if __name__ == "__main__":
    main()
