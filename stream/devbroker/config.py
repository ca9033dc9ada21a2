"""What a development broker is told: its place in the cluster, its ports, its settings."""

from __future__ import annotations

import random
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stream.contracts.errors import DriftstreamError

__all__ = ["HOST", "BrokerError", "Node", "broker_properties", "free_port", "new_nodes"]

HOST = "127.0.0.1"


class BrokerError(DriftstreamError, RuntimeError):
    """A broker did not start or stop; the message ends with its own last words."""


@dataclass(frozen=True)
class Node:
    """A broker of a cluster, which is a controller too: its number and its ports on 127.0.0.1."""

    id: int
    port: int
    controller_port: int

    @property
    def address(self) -> str:
        """Where clients find it."""
        return f"{HOST}:{self.port}"


def new_nodes(count: int, first_port: int | None = None) -> list[Node]:
    """Nodes 1 to `count`, on free ports or on `first_port` and those that follow it."""
    taken: set[int] = set(range(first_port, first_port + count)) if first_port else set()

    def port() -> int:
        while (chosen := free_port()) in taken:
            pass
        taken.add(chosen)
        return chosen

    return [Node(i + 1, first_port + i if first_port else port(), port()) for i in range(count)]


def broker_properties(
    data_dir: Path | str, node: Node, nodes: Sequence[Node], extra: Mapping[str, object]
) -> dict[str, str]:
    """Return the settings of one node of a development cluster, `extra` on top.

    Three nodes or more keep every record on three of them and acknowledge what two have.
    """
    copies = min(3, len(nodes))
    in_sync = max(1, copies - 1)
    ours: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": node.id,
        "controller.quorum.voters": ",".join(f"{n.id}@{HOST}:{n.controller_port}" for n in nodes),
        "listeners": f"PLAINTEXT://{HOST}:{node.port},CONTROLLER://{HOST}:{node.controller_port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": f"{data_dir}/log",
        # A typing error in a topic name should be an error, not a new topic.
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": 0,
        # After kill -9 a broker is let in again only when its former self has timed out (9 s).
        "broker.session.timeout.ms": 4000,
        "broker.heartbeat.interval.ms": 1000,
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.num.partitions": 4,  # the default of 50 costs seconds at the first join
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.num.partitions": 4,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
        # Data with old record timestamps must not vanish under a demo or a test; topics that
        # want a retention set their own.
        "log.retention.ms": -1,
        # The cleaner takes this from the heap at the start: 128 MB would not fit a small one.
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    }
    return {key: str(value) for key, value in {**ours, **extra}.items()}


def free_port() -> int:
    """Return a port on which nobody listens.

    Taken from below the range of outgoing connections: a client that reconnects to a broker which
    is down could otherwise be given the broker's port as its own and keep it from restarting.
    """
    for _ in range(200):
        port = random.randint(20_000, 30_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise BrokerError(f"Found no free port on {HOST} between 20000 and 30000.")
