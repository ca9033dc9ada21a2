"""What tests on a real broker do beside running workers: other producers, commands, pages."""

from __future__ import annotations

import logging
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from confluent_kafka import Producer

from stream.cli import cli
from stream.client.records import read_topic
from stream.devbroker.broker import Broker
from tests.integration.worker_kit import Installation


def sender(kafka: Mapping[str, object], codec: str, **settings: object) -> Producer:
    return Producer(
        {
            "bootstrap.servers": kafka["bootstrap_servers"],
            "compression.type": codec,
            # A flush sends at once: one batch of all that was given, however busy the machine.
            "linger.ms": 10_000,
            "log_level": 0,
            **{key.replace("__", "."): value for key, value in settings.items()},
        }
    )


def send(producer: Producer, topic: str, partition: int, values: Iterable[bytes]) -> None:
    """Values as one batch: the topic is known before the first, so that none waits apart."""
    failed: list[object] = []
    producer.list_topics(topic, timeout=60)

    def told(error: object, _: object) -> None:
        failed.extend([error] if error is not None else [])

    for value in values:
        producer.produce(topic, value, partition=partition, on_delivery=told)
    assert producer.flush(60) == 0
    assert not failed


def run(*words: object) -> subprocess.CompletedProcess[str]:
    """A command, in this process: a process of its own would import everything once more."""
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers[:] = []  # a command sets up its own, as where nobody has
    try:
        done = CliRunner().invoke(cli, [str(word) for word in words])
    finally:
        root.handlers[:] = before
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)


def letters(site: Installation) -> list[dict[str, str]]:
    """The headers of all dead letters."""
    return [
        {name.rpartition(".")[2]: value.decode() for name, value in record.headers}
        for record in read_topic(site.kafka, site.topics["dead_letter"])
    ]


def own_log(broker: Broker) -> Path:
    if broker.data_dir is None:
        pytest.skip("the broker's files are not here to be damaged")
    return broker.data_dir


def page(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def sealed_panes(site: Installation) -> int:
    return sum(s.panes_sealed for m in site.restored().values() for s in m.subjects.values())
