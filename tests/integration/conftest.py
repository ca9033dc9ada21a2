"""A real broker for the tests: one for the session, or one of a test's own that may die.

Where it comes from is the ladder of `stream.devbroker.broker.find_broker`, Docker included; the
terminal says which rung was used. Where nothing to run one from is found, tests that need a broker
are skipped and say why; where one is found and does not start, they fail.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stream.devbroker.broker import (
    Broker,
    BrokerUnavailableError,
    Found,
    find_broker,
    free_port,
    start,
)
from stream.devbroker.runtime import find_runtime

HEAP_MB = 256
_RUNG = pytest.StashKey[str]()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say in one line which broker the tests had."""
    sentence = config.stash.get(_RUNG, None)
    if sentence is not None:
        terminalreporter.write_line(f"broker: {sentence}")


@pytest.fixture(scope="session")
def found(request: pytest.FixtureRequest) -> Iterator[Found]:
    """What the ladder gives, once for the session."""
    found = find_broker(docker=True, heap_mb=HEAP_MB, light=True)
    words = found.sentence if found.broker else f"none, integration tests skipped: {found.sentence}"
    request.config.stash[_RUNG] = words
    yield found
    if found.broker is not None:
        found.broker.stop()


@pytest.fixture(scope="session")
def broker(found: Found) -> Broker:
    """The broker that all tests share: use names from `topic_prefix`, change no settings."""
    if found.broker is None:
        try:
            find_runtime()
        except BrokerUnavailableError:
            pytest.skip(f"no Kafka broker: {found.sentence}")
        pytest.fail(f"all that a broker needs is here, but none runs: {found.sentence}")
    return found.broker


@pytest.fixture
def kafka(broker: Broker) -> dict[str, object]:
    """The connection settings of the shared broker, as `[kafka]` of a config has them."""
    return {"bootstrap_servers": broker.bootstrap}


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> str:
    """A prefix no other test has, for topics, groups and models on the shared broker."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)[:40]
    return f"{name}-{uuid.uuid4().hex[:6]}."


StartBroker = Callable[..., Broker]


@pytest.fixture
def restartable_broker(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[StartBroker]:
    """Give a function that starts this test's own broker, always on one port and one data dir.

    Call it again after `kill()` or `stop()` and the same broker is back with its data. Keyword
    arguments are broker settings with dots as two underscores: `log__segment__bytes=1048576`.
    """
    try:
        runtime = find_runtime()
    except BrokerUnavailableError as why:
        pytest.skip(f"no Kafka broker of one's own: {why}")
    request.config.stash.setdefault(_RUNG, runtime.sentence)
    port = free_port()
    running: list[Broker] = []

    def again(**settings: object) -> Broker:
        properties = {key.replace("__", "."): value for key, value in settings.items()}
        broker = start(
            tmp_path / "broker",
            port=port,
            heap_mb=HEAP_MB,
            properties=properties,
            runtime=runtime,
            light=True,
        )
        running.append(broker)
        return broker

    yield again
    for broker in running:
        broker.stop()
