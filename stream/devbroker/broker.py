"""A real broker without thinking where from: the ladder, and the face of the broker utilities.

Rungs, first that holds: a broker named by the environment; Docker (tests only); an unpacked Kafka;
Kafka's jars by Maven. `start` and `start_cluster` run them directly, `stream.devbroker.daemon`
keeps them in the background.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass

from stream.devbroker.cluster import BrokerCluster, start_cluster
from stream.devbroker.config import HOST, BrokerError, Node, broker_properties, free_port
from stream.devbroker.kafka_process import START_TIMEOUT_S
from stream.devbroker.runtime import BrokerUnavailableError, find_runtime
from stream.devbroker.server import Broker, start
from stream.kafka.admin import live_brokers

__all__ = [
    "Broker",
    "BrokerCluster",
    "BrokerError",
    "BrokerUnavailableError",
    "Found",
    "find_broker",
    "free_port",
    "start",
    "start_cluster",
]

DOCKER_IMAGE = "apache/kafka:4.1.0"


@dataclass(frozen=True)
class Found:
    """What the ladder gave: a broker, or None and a sentence that says why."""

    rung: str  # environment, docker, home, maven or none
    sentence: str
    broker: Broker | None


def find_broker(
    *,
    docker: bool = False,
    heap_mb: int = 512,
    properties: Mapping[str, object] | None = None,
    light: bool = False,
    env: Mapping[str, str] = os.environ,
) -> Found:
    """Take the first broker there is: environment, Docker, an unpacked Kafka, Maven jars.

    Parameters
    ----------
    docker
        Also try a container (needs `testcontainers`: tests only).
    heap_mb
        Java heap of a broker that is started.
    properties
        Broker settings beside our own; a broker of the environment is taken as it is.
    light
        As `stream.devbroker.server.start` has it.
    env
        The environment that is looked at.

    Returns
    -------
    Found
        Its `broker` is None where no rung holds. A rung that was asked for by an environment
        variable and fails ends the search: silence would hide a wrong address.
    """
    servers = env.get("KAFKA_BOOTSTRAP_SERVERS")
    if servers:
        if not live_brokers({"bootstrap_servers": servers}, timeout_s=10):
            return Found("none", f"KAFKA_BOOTSTRAP_SERVERS={servers} does not answer", None)
        return Found("environment", f"KAFKA_BOOTSTRAP_SERVERS={servers}", Broker(servers))
    if docker and _docker_answers(env):
        return Found("docker", f"{DOCKER_IMAGE} in Docker", _start_container(properties))
    try:
        runtime = find_runtime(env)
        broker = start(heap_mb=heap_mb, properties=properties, runtime=runtime, light=light)
    except (BrokerUnavailableError, BrokerError) as why:
        return Found("none", str(why), None)
    return Found(runtime.rung, runtime.sentence, broker)


def _docker_answers(env: Mapping[str, str]) -> bool:
    docker = shutil.which("docker", path=env.get("PATH"))
    if docker is None:
        return False
    try:
        asked = subprocess.run(
            [docker, "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            timeout=5,
            check=False,
            env=dict(env),
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def _start_container(properties: Mapping[str, object] | None) -> Broker:
    from testcontainers.core.container import DockerContainer

    port = free_port()
    node = Node(1, 9092, 9093)
    settings = broker_properties("/var/lib/kafka/data", node, [node], properties or {})
    settings["listeners"] = "PLAINTEXT://0.0.0.0:9092,CONTROLLER://127.0.0.1:9093"
    settings["advertised.listeners"] = f"PLAINTEXT://{HOST}:{port}"
    container = DockerContainer(DOCKER_IMAGE).with_bind_ports(9092, (HOST, port))
    for key, value in settings.items():
        container.with_env("KAFKA_" + key.upper().replace(".", "_"), value)
    container.start()
    end = time.monotonic() + START_TIMEOUT_S
    while not live_brokers({"bootstrap_servers": f"{HOST}:{port}"}, timeout_s=5):
        if time.monotonic() > end:
            container.stop()
            raise BrokerError(f"{DOCKER_IMAGE} did not answer within {START_TIMEOUT_S:.0f} s.")
        time.sleep(0.2)
    return Broker(f"{HOST}:{port}", on_stop=container.stop)
