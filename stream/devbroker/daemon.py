"""`driftstream broker start|status|stop|kill`: brokers of a user that outlive the command.

A state file in the user's cache directory says which processes they are. The file may be stale (a
reboot, a kill -9, a process number used again), so nothing is believed or signalled before the
command line of that process has been seen.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from stream.devbroker.cluster import start_cluster
from stream.devbroker.config import BrokerError, Node
from stream.devbroker.kafka_process import START_TIMEOUT_S, STOP_TIMEOUT_S, run, wait_ready
from stream.devbroker.orphan_reaper import TEMPORARY_PREFIX, runs_broker
from stream.devbroker.runtime import cache_dir, find_runtime, locked

__all__ = [
    "DaemonNode", "DaemonState", "daemon_status", "start_daemon", "start_daemon_node",
    "state_path", "stop_daemon", "stop_daemon_node",
]  # fmt: skip


class DaemonNode(msgspec.Struct, frozen=True):
    """What is known of one broker in the background."""

    id: int
    pid: int
    port: int
    controller_port: int
    data_dir: str

    @property
    def node(self) -> Node:
        """Its place in the cluster."""
        return Node(self.id, self.port, self.controller_port)

    @property
    def log(self) -> str:
        """Where it writes what it has to say."""
        return f"{self.data_dir}/broker.log"

    @property
    def running(self) -> bool:
        """Is that process still this broker?"""
        return runs_broker(self.pid, self.data_dir)


class DaemonState(msgspec.Struct, frozen=True):
    """What is known of the brokers in the background."""

    nodes: tuple[DaemonNode, ...]
    data_dir: str
    temporary: bool
    heap_mb: int
    started: float  # seconds since the epoch

    @property
    def bootstrap(self) -> str:
        """The addresses of all nodes, whether they run or not."""
        return ",".join(node.node.address for node in self.nodes)

    @property
    def running(self) -> bool:
        """Does one of them still run?"""
        return any(node.running for node in self.nodes)

    def of(self, number: int) -> DaemonNode:
        """The node of this number; `BrokerError` if there is none."""
        for node in self.nodes:
            if node.id == number:
                return node
        raise BrokerError(f"There is no node {number}: nodes are 1 to {len(self.nodes)}.")


def state_path() -> Path:
    """Where the state of this user's brokers in the background is written."""
    return cache_dir() / "broker.json"


def start_daemon(
    data_dir: Path | None = None,
    *,
    brokers: int = 1,
    port: int | None = None,
    heap_mb: int | None = None,
    properties: Mapping[str, object] | None = None,
    state_file: Path | None = None,
) -> DaemonState:
    """Start brokers in the background; `BrokerError` if some run already (it says where)."""
    path = state_file or state_path()
    heap_mb = heap_mb or (512 if brokers == 1 else 256)
    with locked(path.with_suffix(".lock")):
        old = daemon_status(path)
        if old is not None:
            raise BrokerError(
                f"A broker runs already at {old.bootstrap} (process "
                f"{', '.join(str(node.pid) for node in old.nodes if node.running)}). Use it, or "
                "end it first: driftstream broker stop."
            )
        made = start_cluster(
            brokers,
            data_dir.resolve() if data_dir else None,
            port=port,
            heap_mb=heap_mb,
            properties=properties,
            detached=True,
        )
        nodes = tuple(
            DaemonNode(
                node.id,
                made.processes[node.id].pid,
                node.port,
                node.controller_port,
                str(made.place(node)),
            )
            for node in made.nodes
        )
        state = DaemonState(nodes, str(made.directory), made.temporary, heap_mb, time.time())
        _write(state, path)
    return state


def start_daemon_node(number: int, state_file: Path | None = None) -> DaemonNode:
    """Start a node of the running cluster again, and return when it takes requests."""
    path = state_file or state_path()
    with locked(path.with_suffix(".lock")):
        state = _running(path)
        old = state.of(number)
        if old.running:
            raise BrokerError(f"Node {number} runs already (process {old.pid}).")
        directory = Path(old.data_dir)
        process = run(directory, old.node, state.heap_mb, find_runtime(), light=True)
        wait_ready(process, directory, old.node, START_TIMEOUT_S)
        again = msgspec.structs.replace(old, pid=process.pid)
        nodes = tuple(again if node.id == number else node for node in state.nodes)
        _write(msgspec.structs.replace(state, nodes=nodes), path)
    return again


def stop_daemon_node(
    number: int, *, kill: bool = False, state_file: Path | None = None
) -> DaemonNode:
    """End one node and keep its data; with `kill` by SIGKILL, as a power cut would."""
    path = state_file or state_path()
    with locked(path.with_suffix(".lock")):
        state = _running(path)
        node = state.of(number)
        if not node.running:
            raise BrokerError(f"Node {number} does not run.")
        if not any(other.running for other in state.nodes if other.id != number):
            raise BrokerError(
                f"Node {number} is the only one that runs. End it with all there is of it: "
                "driftstream broker stop."
            )
        _end([node], (signal.SIGKILL,) if kill else (signal.SIGTERM, signal.SIGKILL))
    return node


def daemon_status(state_file: Path | None = None) -> DaemonState | None:
    """Return what runs in the background, or None; a stale state file is removed."""
    path = state_file or state_path()
    try:
        state = msgspec.json.decode(path.read_bytes(), type=DaemonState)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError:  # not written by this version: nothing in it can be trusted
        path.unlink(missing_ok=True)
        return None
    if state.running:
        return state
    _forget(state, path)
    return None


def stop_daemon(
    state_file: Path | None = None, *, timeout_s: float = STOP_TIMEOUT_S
) -> DaemonState | None:
    """End all brokers in the background and remove their temporary data; None if none runs."""
    path = state_file or state_path()
    state = daemon_status(path)
    if state is None:
        return None
    _end(state.nodes, (signal.SIGTERM, signal.SIGKILL), timeout_s)
    _forget(state, path)
    return state


def _running(path: Path) -> DaemonState:
    state = daemon_status(path)
    if state is None:
        raise BrokerError("No broker runs. Start some: driftstream broker start --brokers 3.")
    return state


def _end(
    nodes: Iterable[DaemonNode],
    signals: Iterable[signal.Signals],
    timeout_s: float = STOP_TIMEOUT_S,
) -> None:
    """Signal all of them at once; the next signal goes to those that are still there."""
    left = [node for node in nodes if node.running]
    for sent in signals:
        for node in left:
            try:
                os.kill(node.pid, sent)
            except ProcessLookupError:
                continue
        end = time.monotonic() + timeout_s
        while (left := [node for node in left if node.running]) and time.monotonic() < end:
            time.sleep(0.05)
        if not left:
            return
    logs = ", ".join(node.log for node in left)
    raise BrokerError(f"{len(left)} brokers do not end. See {logs}.")


def _write(state: DaemonState, path: Path) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
    part.replace(path)


def _forget(state: DaemonState, path: Path) -> None:
    path.unlink(missing_ok=True)
    # Never remove a directory only because a file that anybody could edit says so.
    if state.temporary and Path(state.data_dir).name.startswith(TEMPORARY_PREFIX):
        shutil.rmtree(state.data_dir, ignore_errors=True)
