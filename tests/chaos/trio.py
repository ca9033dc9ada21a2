"""What is done to a cluster of three brokers: one dies, all are renewed, data move."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kafka import TopicPartition

from stream.devbroker.broker import BrokerCluster
from stream.kafka.admin import admin, described

__all__ = ["Trio"]

#: For replicas to be in sync again, on a busy machine.
_IN_SYNC_S: Final = 120.0


class Trio:
    """Faults of three brokers; after each all three run and every replica is in sync.

    Parameters
    ----------
    cluster : BrokerCluster
    topics : sequence of str
        Topics whose leaders are attacked and whose partitions are moved.
    rng : random.Random
    """

    def __init__(self, cluster: BrokerCluster, topics: Sequence[str], rng: random.Random) -> None:
        self._cluster, self._topics, self._rng = cluster, topics, rng
        self._kafka = {"bootstrap_servers": cluster.bootstrap}

    def kill_leader(self, meanwhile: Callable[[], None]) -> str:
        """SIGKILL to the leader of some partition; it is started again. Says whose it was."""
        tp, partition = self._some_partition()
        leader = partition["leader_id"]
        self._cluster.kill_node(leader)
        meanwhile()
        self._cluster.start_node(leader)
        self.wait_in_sync()
        return f"node {leader}, leader of {tp.topic}[{tp.partition}]"

    def freeze_leader(self, meanwhile: Callable[[], None]) -> str:
        """SIGSTOP to the leader of some partition: another one leads until it wakes."""
        tp, partition = self._some_partition()
        leader = partition["leader_id"]
        process = self._cluster.processes[leader]
        process.send_signal(signal.SIGSTOP)
        meanwhile()
        process.send_signal(signal.SIGCONT)
        self.wait_in_sync()
        return f"node {leader}, leader of {tp.topic}[{tp.partition}]"

    def roll(self, meanwhile: Callable[[], None]) -> None:
        """Stop and start one after the other, as for an upgrade."""
        for node in self._cluster.nodes:
            self._cluster.stop_node(node.id)
            meanwhile()
            self._cluster.start_node(node.id)
            self.wait_in_sync()

    def reassign(self) -> str:
        """Take a partition away from its leader, and give it back its copy as the last of three.

        Another broker leads, the old leader's copy is deleted and made anew.
        """
        tp, partition = self._some_partition()
        leader, replicas = partition["leader_id"], partition["replica_nodes"]
        others = [node for node in replicas if node != leader]
        self._assign(tp, others)
        self._assign(tp, [*others, leader])
        self.wait_in_sync()
        return f"{tp.topic}[{tp.partition}] from node {leader} to {others[0]}"

    def wait_in_sync(self) -> None:
        """Return when every replica of every partition is in sync, as one waits before the next."""
        end = time.monotonic() + _IN_SYNC_S
        while lacking := self._out_of_sync():
            if time.monotonic() > end:
                raise TimeoutError(f"not in sync after {_IN_SYNC_S:.0f} s: {lacking}")
            time.sleep(0.2)

    def _some_partition(self) -> tuple[TopicPartition, Mapping[str, Any]]:
        topics = self._described()
        name = self._rng.choice(sorted(topics))
        partition = self._rng.choice(topics[name]["partitions"])
        return TopicPartition(name, partition["partition_index"]), partition

    def _described(self) -> dict[str, dict[str, Any]]:
        with admin(self._kafka) as client:
            return described(client, self._topics)

    def _out_of_sync(self) -> list[str]:
        return [
            f"{name}[{p['partition_index']}]"
            for name, topic in self._described().items()
            for p in topic["partitions"]
            if set(p["isr_nodes"]) != set(p["replica_nodes"]) or p["leader_id"] < 0
        ]

    def _assign(self, tp: TopicPartition, replicas: list[int]) -> None:
        with admin(self._kafka) as client:
            refused = client.alter_partition_reassignments({tp: replicas})[tp]
            if refused is not None:
                raise RuntimeError(f"{tp} to {replicas}: {refused}")
            end = time.monotonic() + _IN_SYNC_S
            while client.list_partition_reassignments([tp]):
                if time.monotonic() > end:
                    raise TimeoutError(f"{tp} is still on its way to {replicas}")
                time.sleep(0.1)
