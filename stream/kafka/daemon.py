"""`driftstream broker start|status|stop`: one broker a user that outlives the command.

A state file in the user's cache directory says which process it is. The file may be stale (a
reboot, a kill -9, a process number used again), so nothing is believed or signalled before the
command line of that process has been seen.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from stream.kafka.guard import TEMPORARY_PREFIX, runs_broker
from stream.kafka.runtime import cache_dir, locked
from stream.kafka.server import STOP_TIMEOUT_S, BrokerError, start


@dataclass(frozen=True)
class DaemonState:
    """What is known of the background broker."""

    pid: int
    bootstrap: str
    data_dir: str
    log: str
    temporary: bool
    started: float  # seconds since the epoch

    @property
    def running(self) -> bool:
        """Is that process still this broker?"""
        return runs_broker(self.pid, self.data_dir)


def state_path() -> Path:
    """Where the state of this user's background broker is written."""
    return cache_dir() / "broker.json"


def start_daemon(
    data_dir: Path | None = None,
    *,
    port: int | None = None,
    heap_mb: int = 512,
    properties: Mapping[str, object] | None = None,
    state_file: Path | None = None,
) -> DaemonState:
    """Start the background broker; `BrokerError` if it runs already (the message says where)."""
    path = state_file or state_path()
    with locked(path.with_suffix(".lock")):
        old = daemon_status(path)
        if old is not None:
            raise BrokerError(
                f"A broker runs already at {old.bootstrap} (process {old.pid}). Use it, or end it "
                "first: driftstream broker stop."
            )
        broker = start(
            data_dir.resolve() if data_dir else None,
            port=port, heap_mb=heap_mb, properties=properties, detached=True,
        )  # fmt: skip
        state = DaemonState(
            pid=broker.pid or 0,
            bootstrap=broker.bootstrap,
            data_dir=str(broker.data_dir),
            log=str(broker.log),
            temporary=broker.temporary,
            started=time.time(),
        )
        part = path.with_suffix(".part")
        part.write_text(json.dumps(asdict(state), indent=1))
        part.replace(path)
    return state


def daemon_status(state_file: Path | None = None) -> DaemonState | None:
    """Return the running background broker, or None; a stale state file is removed."""
    path = state_file or state_path()
    try:
        state = DaemonState(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):  # not written by this version: nothing in it can be trusted
        path.unlink(missing_ok=True)
        return None
    if state.running:
        return state
    _forget(state, path)
    return None


def stop_daemon(
    state_file: Path | None = None, *, timeout_s: float = STOP_TIMEOUT_S
) -> DaemonState | None:
    """End the background broker and remove its temporary data; None if none runs."""
    path = state_file or state_path()
    state = daemon_status(path)
    if state is None:
        return None
    for sent in (signal.SIGTERM, signal.SIGKILL):
        end = time.monotonic() + timeout_s
        try:
            os.kill(state.pid, sent)
        except ProcessLookupError:
            break
        while state.running and time.monotonic() < end:
            time.sleep(0.05)
        if not state.running:
            break
    else:
        raise BrokerError(f"The broker (process {state.pid}) does not end. See {state.log}.")
    _forget(state, path)
    return state


def _forget(state: DaemonState, path: Path) -> None:
    path.unlink(missing_ok=True)
    # Never remove a directory only because a file that anybody could edit says so.
    if state.temporary and Path(state.data_dir).name.startswith(TEMPORARY_PREFIX):
        shutil.rmtree(state.data_dir, ignore_errors=True)
