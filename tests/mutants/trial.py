"""The tests on a changed copy of the repository; the work tree is never written to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Outcome", "Trial"]

_NOT_COPIED: Final = shutil.ignore_patterns(
    ".git", ".venv*", "node_modules", "build", "dist", ".mypy_cache", ".ruff_cache", ".hypothesis"
)
#: A mutant may take so many times as long as the code itself, and at least so many seconds.
_TIMES_SLOWER: Final = 5
_LEAST_TIMEOUT_S: Final = 60.0
#: pytest's exit codes: all passed; a test failed; a module could not be imported.
_PASSED, _FAILED, _INTERRUPTED = 0, 1, 2


class Outcome(NamedTuple):
    """`word` is caught, survived or timeout."""

    word: str
    seconds: float


class Trial:
    """Runs tests on copies of `root` that lie in `folder`.

    Kernels are compiled once, in the first copy: numba knows a source by its time of change, so in
    the copies of that copy only the kernels of the changed module, and what calls them, are
    compiled anew.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self._pristine = folder / "pristine"
        self._changed = folder / "changed"
        self._baseline: dict[tuple[str, ...], float] = {}
        shutil.copytree(root, self._pristine, ignore=_NOT_COPIED)

    def prepare(self, tests: Iterable[str]) -> None:
        """Run tests on the code itself.

        Raises
        ------
        RuntimeError
            If they fail there: then they say nothing of a mutant.
        """
        chosen = tuple(tests)
        if chosen in self._baseline:
            return
        begun = time.monotonic()
        code, said = _pytest(self._pristine, chosen, timeout=None)
        if code != _PASSED:
            raise RuntimeError(f"{' '.join(chosen)} fail on the code as it is:\n{said}")
        self._baseline[chosen] = time.monotonic() - begun

    def run(self, module: str, changed: bytes, tests: Iterable[str]) -> Outcome:
        """Run tests, that were prepared, on a copy in which a module is `changed`."""
        chosen = tuple(tests)
        shutil.rmtree(self._changed, ignore_errors=True)
        shutil.copytree(self._pristine, self._changed)
        path = self._changed / module
        before = path.stat()
        path.write_bytes(changed)
        # Python and numba tell by it that what they had compiled is of another source.
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 2_000_000_000))
        begun = time.monotonic()
        timeout = max(_LEAST_TIMEOUT_S, _TIMES_SLOWER * self._baseline[chosen])
        code, said = _pytest(self._changed, chosen, timeout)
        if code not in (None, _PASSED, _FAILED, _INTERRUPTED):
            raise RuntimeError(f"pytest ended with {code}:\n{said}")
        word = {None: "timeout", _PASSED: "survived"}.get(code, "caught")
        return Outcome(word, time.monotonic() - begun)


def _pytest(root: Path, tests: Iterable[str], timeout: float | None) -> tuple[int | None, str]:
    """pytest's exit code and its last words; no code if it did not end in time."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    process = subprocess.Popen(
        command,
        cwd=root,
        env=environment | {"PYTHONPATH": str(root)},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return process.returncode, said[-3_000:]
