"""Ends a broker whose owner died without a goodbye (kill -9, a timeout of CI, a closed terminal).

Runs as a small process of its own: `python -m stream.kafka.guard PID DIRECTORY TEMPORARY`. Its
standard input is a pipe that the owner holds open; the operating system closes it in every death.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["TEMPORARY_PREFIX", "command_line", "runs_broker", "watch"]

TEMPORARY_PREFIX = "driftstream-broker-"
_PATIENCE_S = 20.0


def watch(pid: int, directory: Path, temporary: bool) -> None:
    """Wait for the end of standard input, then end the broker and remove its temporary data."""
    sys.stdin.read()
    for sent in (signal.SIGTERM, signal.SIGKILL):
        end = time.monotonic() + _PATIENCE_S
        while runs_broker(pid, directory) and time.monotonic() < end:
            os.kill(pid, sent)
            time.sleep(0.2)
    # Never remove a directory only because somebody says so.
    if temporary and directory.name.startswith(TEMPORARY_PREFIX):
        shutil.rmtree(directory, ignore_errors=True)


def runs_broker(pid: int, directory: Path | str) -> bool:
    """Is that process the broker of this directory? Process numbers are used again."""
    # The path of its own configuration is on no other command line.
    return f"{directory}/server.properties" in command_line(pid)


def command_line(pid: int) -> str:
    """Return the command line of a process, empty where there is none (a zombie has none)."""
    if Path("/proc/self/cmdline").exists():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return ""
        return words.replace(b"\0", b" ").decode(errors="replace")
    asked = subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return asked.stdout


if __name__ == "__main__":
    watch(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "True")
