"""A stderr whose disk is full, or whose reader went away, ends no program that has work to do."""

from __future__ import annotations

import io
import os
import sys

__all__ = ["make_stderr_patient"]


class _Patient(io.RawIOBase):
    """Writes to a file descriptor; what that does not take is counted, and told when it does."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lost = 0

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        text = bytes(data)  # type: ignore[call-overload]
        try:
            if self._lost:
                self._write(b"[%d writes to stderr failed before this one]\n" % self._lost)
                self._lost = 0
            self._write(text)
        except OSError:
            self._lost += 1
        return len(text)

    def _write(self, text: bytes) -> None:
        while text:
            text = text[os.write(self._fd, text) :]


def make_stderr_patient() -> None:
    """Replace `sys.stderr`, if there is one, by one that never fails."""
    old = sys.stderr
    try:
        fd = old.fileno()
    except (AttributeError, OSError, ValueError):  # none, or one of a test
        return
    lines = io.BufferedWriter(_Patient(fd))
    sys.stderr = io.TextIOWrapper(lines, old.encoding, "backslashreplace", line_buffering=True)
