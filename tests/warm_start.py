"""`driftstream` commands as processes that need not import and load first.

A worker takes some 2.5 s of CPU until it is ready, nearly all for imports and kernels. Here a
server of `multiprocessing` has done both, and each process is its fork: one of its own, with the
real command line, that takes signals and kill -9 as any. Tests of what is imported, when, and of
what happens meanwhile start from nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["WarmProcess", "run_warm"]

ROOT = Path(__file__).parents[1]
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.warmed"])


class WarmProcess:
    """`driftstream ARGUMENTS`, appending to files; as much of `subprocess.Popen` as tests use."""

    def __init__(
        self,
        arguments: Sequence[str],
        out: Path,
        errors: Path | None = None,
        *,
        env: Mapping[str, str] = os.environ,
    ) -> None:
        self.args = arguments
        for path in {out, errors or out}:
            path.touch()  # it is there to be read as soon as the process is
        self._process = _CONTEXT.Process(
            target=_run, args=(arguments, out, errors or out, dict(env))
        )
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


def run_warm(
    arguments: Sequence[str], *, env: Mapping[str, str] = os.environ, timeout: float = 300.0
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` of `driftstream ARGUMENTS` with its output captured as text."""
    with tempfile.TemporaryDirectory() as place:
        out, errors = Path(place) / "out", Path(place) / "errors"
        process = WarmProcess(arguments, out, errors, env=env)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        return subprocess.CompletedProcess(arguments, code, out.read_text(), errors.read_text())


def _run(arguments: Sequence[str], out: Path, errors: Path, env: Mapping[str, str]) -> None:
    from stream.cli import main

    for number, path in ((1, out), (2, errors)):
        with path.open("ab") as file:
            os.dup2(file.fileno(), number)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(ROOT)
    sys.argv = ["driftstream", *arguments]
    main()
