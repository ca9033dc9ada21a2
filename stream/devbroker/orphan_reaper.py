"""Ends brokers whose owner died without closing them (kill -9, a timeout of CI, a closed terminal).

Runs as a small process of its own: `python -m stream.devbroker.orphan_reaper DIRECTORY TEMPORARY`.
Its standard input is a pipe that the owner holds open, and on which it names every broker that it
starts; the operating system closes it in every death.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["TEMPORARY_PREFIX", "OrphanReaper", "command_line", "runs_broker", "watch"]

TEMPORARY_PREFIX = "driftstream-broker-"
_GRACE_S = 20.0


class OrphanReaper:
    """The owner's side: the child process, and the pipe to it.

    Parameters
    ----------
    directory : Path
        Where all the brokers' data are.
    temporary : bool
        Whether it is removed when the owner is gone.
    """

    def __init__(self, directory: Path, temporary: bool) -> None:
        # -P: the directory that we happen to be in is no place to import from.
        python = [sys.executable, "-P", "-m", "stream.devbroker.orphan_reaper"]
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._process = subprocess.Popen(
            [*python, str(directory), str(temporary)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )

    def watch(self, pid: int, directory: Path) -> None:
        """Add a broker to those that are ended with the owner."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # somebody ended the child: nothing watches then
            self._process.stdin.write(f"{pid} {directory}\n".encode())
            self._process.stdin.flush()

    def close(self) -> None:
        """Close the pipe, on which the child ends what is left; may be called again."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            self._process.wait()


def watch(directory: Path, temporary: bool) -> None:
    """Wait for the end of standard input, then end the brokers and remove their temporary data."""
    brokers = [line.rstrip("\n").partition(" ") for line in sys.stdin]
    for sent in (signal.SIGTERM, signal.SIGKILL):
        end = time.monotonic() + _GRACE_S
        while left := [int(pid) for pid, _, where in brokers if runs_broker(int(pid), where)]:
            if time.monotonic() > end:
                break
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
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
    watch(Path(sys.argv[1]), sys.argv[2] == "True")
