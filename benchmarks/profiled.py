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

_PROFILES: list[cProfile.Profile] = []


def _profiled(run: Callable[..., Any]) -> Callable[..., Any]:
    def inner(*args: Any, **more: Any) -> Any:
        profile = cProfile.Profile()
        try:
            profile.enable()
        except ValueError:  # from Python 3.12 on only one thread can be profiled
            return run(*args, **more)
        _PROFILES.append(profile)  # now: a daemon's thread never returns
        try:
            return run(*args, **more)
        finally:
            profile.disable()

    return inner


def main() -> None:
    """Run the command and write what was measured."""
    out = sys.argv.pop(1)
    # Not `run`: mode's threads, of which Faust's consumer is one, have their own.
    bootstrap = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]
    threading.Thread._bootstrap_inner = _profiled(bootstrap)  # type: ignore[attr-defined]
    from stream.cli import main as command

    try:
        _profiled(command)()
    finally:
        stats = pstats.Stats(_PROFILES[0])
        for profile in _PROFILES[1:]:
            stats.add(profile)
        stats.dump_stats(out)


if __name__ == "__main__":
    main()
