"""Three brokers as one cluster, by the command line: one may be away, and comes back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stream.client.records import publish, read_topic
from stream.devbroker.runtime import BrokerUnavailableError, cache_dir, find_runtime
from stream.kafka.admin import admin, described, live_brokers
from stream.kafka.topics import (
    WantedTopic,
    check_topics,
    create_topics,
    topic_partitions,
    wanted_topics,
)
from tests.warm_start import run_warm

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

Say = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def driftstream(tmp_path: Path) -> Iterator[Say]:
    """The command, with a cache directory of the test's own: no broker of a user is touched."""
    try:
        find_runtime()
    except BrokerUnavailableError as why:
        pytest.skip(f"no Kafka broker of one's own: {why}")
    mine = tmp_path / "cache" / "driftstream"
    mine.mkdir(parents=True)
    for jars in cache_dir().glob("kafka-*"):
        (mine / jars.name).symlink_to(jars)
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def say(*words: str) -> subprocess.CompletedProcess[str]:
        return run_warm(words, env=env)

    yield say
    say("broker", "stop")


def test_one_of_three_may_be_away(driftstream: Say, tmp_path: Path) -> None:
    data = tmp_path / "data"
    started = driftstream("broker", "start", "--brokers", "3", "--data-dir", str(data))
    assert started.returncode == 0, started.stderr
    servers = started.stdout.strip()
    kafka = {"bootstrap_servers": servers}
    assert sorted(live_brokers(kafka)) == sorted(servers.split(","))
    wanted = wanted_topics(predictions=["predictions"], partitions=2)
    create_topics(kafka, wanted)
    assert all(state.ok for state in check_topics(kafka, wanted))
    assert copies(kafka, [topic.name for topic in wanted]) == {3}

    assert not any(state.advice for state in check_topics(kafka, wanted))
    made = wanted_topics(partitions=2, replication=3)
    assert {topic.config["min.insync.replicas"] for topic in made} == {"2"}
    unsafe = [
        WantedTopic("one", 1, {"cleanup.policy": "delete"}, replication=1),
        WantedTopic("alone", 1, {"cleanup.policy": "delete", "min.insync.replicas": "1"}),
        WantedTopic("stiff", 1, {"cleanup.policy": "delete", "min.insync.replicas": "3"}),
    ]
    create_topics(kafka, unsafe)
    advice = {s.wanted.name: " ".join(s.advice) for s in check_topics(kafka, unsafe)}
    assert "one has 1 copy on 3 brokers; 3 are recommended" in advice["one"]
    assert "--topic alone --add-config min.insync.replicas=2" in advice["alone"]
    assert "nothing can be written while a broker is away" in advice["stiff"]

    leader = leader_of(kafka, "predictions")
    assert publish(kafka, "predictions", [(None, b"1", ())], partition=0) == 1
    killed = driftstream("broker", "kill", "--node", str(leader))
    assert killed.returncode == 0, killed.stderr
    assert f"start --node {leader}" in killed.stderr
    # A broker that was killed is still on the others' lists: another one is asked.
    for _ in range(8):
        assert topic_partitions(kafka, "predictions") == 4
    assert publish(kafka, "predictions", [(None, b"2", ())], partition=0) == 1
    assert leader_of(kafka, "predictions") != leader
    status = driftstream("broker", "status")
    assert (status.returncode, status.stdout.strip()) == (0, servers)
    assert [line for line in status.stderr.splitlines() if "does not run" in line] == [
        line for line in status.stderr.splitlines() if line.startswith(f"node {leader} ")
    ]
    assert "does not run" in driftstream("broker", "stop", "--node", str(leader)).stderr

    again = driftstream("broker", "start", "--node", str(leader))
    assert again.returncode == 0, again.stderr
    assert "runs already" in driftstream("broker", "start", "--node", str(leader)).stderr
    assert "There is no node 4" in driftstream("broker", "kill", "--node", "4").stderr
    other = leader % 3 + 1
    assert driftstream("broker", "stop", "--node", str(other)).returncode == 0
    assert publish(kafka, "predictions", [(None, b"3", ())], partition=0) == 1
    got = [r.value for r in read_topic(kafka, "predictions")]
    assert got == [b"1", b"2", b"3"]

    assert driftstream("broker", "stop").returncode == 0
    assert driftstream("broker", "status").returncode == 1
    assert live_brokers(kafka, timeout_s=1) == []
    one = driftstream("broker", "start", "--data-dir", str(data))
    assert one.returncode == 1
    assert "has the data of 3 brokers; got --brokers 1" in one.stderr


def copies(kafka: dict[str, object], names: list[str]) -> set[int]:
    with admin(kafka) as client:
        topics = described(client, names).values()
    return {len(p["replica_nodes"]) for topic in topics for p in topic["partitions"]}


def leader_of(kafka: dict[str, object], name: str) -> int:
    with admin(kafka) as client:
        parts = described(client, [name])[name]["partitions"]
    return next(p["leader_id"] for p in parts if p["partition_index"] == 0)
