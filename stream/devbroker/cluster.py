"""Several brokers as one cluster on this machine: each can be ended, killed and started again.

Every node is a broker and a controller. Three of them keep a topic on all three and acknowledge
what two have, so one may be away at a time.
"""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stream.devbroker.class_archive import keep_classes
from stream.devbroker.config import BrokerError, Node, broker_properties, new_nodes
from stream.devbroker.kafka_process import (
    START_TIMEOUT_S,
    PortTakenError,
    end_process,
    new_cluster_id,
    prepare,
    run,
    wait_ready,
)
from stream.devbroker.orphan_reaper import TEMPORARY_PREFIX, OrphanReaper
from stream.devbroker.runtime import KafkaRuntime, find_runtime

__all__ = ["BrokerCluster", "start_cluster"]


@dataclass
class BrokerCluster:
    """Brokers that this process started. `processes` are those that were not ended by us."""

    nodes: list[Node]
    directory: Path
    runtime: KafkaRuntime
    heap_mb: int
    temporary: bool
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict, repr=False)
    reaper: OrphanReaper | None = field(default=None, repr=False)

    @property
    def bootstrap(self) -> str:
        """The addresses of all nodes, whether they run or not."""
        return ",".join(node.address for node in self.nodes)

    def place(self, node: Node) -> Path:
        """Where a node has its data; one alone has the whole directory."""
        return self.directory if len(self.nodes) == 1 else self.directory / f"node-{node.id}"

    def start_node(self, number: int, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start a node again, with its data, and return when it takes requests."""
        self._run(self._node(number))
        self._wait_ready(self._node(number), timeout_s)

    def stop_node(self, number: int) -> None:
        """SIGTERM: the node hands over what it leads, and ends."""
        end_process(self.processes.pop(number))

    def kill_node(self, number: int) -> None:
        """SIGKILL, as a power cut."""
        process = self.processes.pop(number)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End all nodes and remove temporary data; repeatable."""
        atexit.unregister(self.stop)
        # All are ended before one is waited for: a node alone could not end in order.
        for process in self.processes.values():
            process.terminate()
        for number in list(self.processes):
            self.stop_node(number)
        if self.reaper is not None:
            self.reaper.close()
            self.reaper = None
        if self.temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> BrokerCluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _node(self, number: int) -> Node:
        return next(node for node in self.nodes if node.id == number)

    def _run(self, node: Node) -> None:
        directory = self.place(node)
        process = run(directory, node, self.heap_mb, self.runtime, light=len(self.nodes) > 1)
        self.processes[node.id] = process
        if self.reaper is not None:
            self.reaper.watch(process.pid, directory)

    def _wait_ready(self, node: Node, timeout_s: float) -> None:
        wait_ready(self.processes[node.id], self.place(node), node, timeout_s)


def start_cluster(
    brokers: int = 3,
    data_dir: Path | None = None,
    *,
    port: int | None = None,
    heap_mb: int = 256,
    properties: Mapping[str, object] | None = None,
    runtime: KafkaRuntime | None = None,
    detached: bool = False,
    timeout_s: float = START_TIMEOUT_S,
) -> BrokerCluster:
    """Start brokers as one cluster and return when all take requests.

    Parameters and errors are those of `stream.devbroker.server.start`, for every node alike; with
    `port` the nodes have that and the following ones.
    """
    runtime = runtime or find_runtime()
    keep_classes(runtime)
    directory = data_dir or Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX))
    if (there := _nodes_in(directory)) not in (0, brokers):
        raise BrokerError(
            f"{directory} has the data of {there} brokers; got --brokers {brokers}. Give that "
            "number, or another directory."
        )
    for attempts_left in (2, 1, 0):
        nodes = new_nodes(brokers, port)
        made = BrokerCluster(nodes, directory, runtime, heap_mb, temporary=data_dir is None)
        if not detached:
            made.reaper = OrphanReaper(directory, made.temporary)
        try:
            cluster_id = new_cluster_id()
            for node in nodes:
                place = made.place(node)
                settings = broker_properties(place, node, nodes, properties or {})
                prepare(place, settings, runtime, cluster_id)
            for node in nodes:
                made._run(node)
            for node in nodes:
                made._wait_ready(node, timeout_s)
        except PortTakenError:
            made.stop()
            # Between our look at a free port and its use somebody else took it.
            if port is not None or not attempts_left:
                raise
            continue
        except BaseException:
            made.stop()
            raise
        if not detached:
            atexit.register(made.stop)
        return made
    raise AssertionError("the last attempt returns or raises")


def _nodes_in(directory: Path) -> int:
    """How many nodes have had their data there."""
    return len(list(directory.glob("node-*"))) or int((directory / "log").exists())
