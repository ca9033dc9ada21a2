"""A process under measurement: start it, sample its CPU and memory, end it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import psutil

_SAMPLE_S = 0.1


class Measured:
    """A subprocess with its CPU seconds, ended children included, and its memory over time."""

    def __init__(
        self, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        self.began = time.monotonic()
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=errors,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})},
            )
        self._ps = psutil.Process(self.process.pid)
        self._samples: list[tuple[float, float]] = [(self.began, 0.0)]
        self.peak_rss = 0
        self.lines: list[str] = []
        for job in (self._look, self._read):
            threading.Thread(target=job, daemon=True).start()

    def _look(self) -> None:
        while self.process.poll() is None:
            try:
                times, rss = self._ps.cpu_times(), self._ps.memory_info().rss
            except psutil.Error:  # it has just ended
                return
            own = times.user + times.system
            self._samples.append(
                (time.monotonic(), own + times.children_user + times.children_system)
            )
            self.peak_rss = max(self.peak_rss, rss)
            time.sleep(_SAMPLE_S)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip())

    def progress(self) -> list[tuple[float, int]]:
        """(seconds, events) of the lines a peer wrote."""
        points = []
        for line in list(self.lines):
            words = line.split()
            if len(words) == 2 and words[1].isdigit():
                points.append((float(words[0]), int(words[1])))
        return points

    def cpu_between(self, start: float, end: float) -> float:
        """CPU seconds used between two moments of the monotonic clock."""
        at, cpu = (np.array(column) for column in zip(*self._samples, strict=True))
        return float(np.interp(end, at, cpu) - np.interp(start, at, cpu))

    def check(self) -> None:
        """Raise with the process's last words if it has ended."""
        if self.process.poll() is not None:
            tail = self.log.read_text(errors="replace").splitlines()[-15:]
            words = "\n".join([*self.lines[-5:], *tail])
            raise RuntimeError(
                f"{self.process.args!r} ended with {self.process.returncode}:\n{words}"
            )

    def stop(self, timeout_s: float = 20.0) -> None:
        """End the process: SIGTERM, SIGKILL if that does not help."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self) -> Measured:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
