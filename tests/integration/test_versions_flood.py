"""A model whose version is new with every event, beside one that is watched: on a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from stream.client.alert_log import read_alerts
from stream.client.plan_topic import publish_plan
from stream.client.records import publish
from stream.plans.plan import Subject
from stream.stage1.versions import OTHER_VERSION
from tests.integration.worker_kit import Install, identity, installer, last_event, make_events

FLOOD = 30_000
EVENTS = 7_500


@pytest.fixture
def install(kafka: dict[str, object], topic_prefix: str, tmp_path: Path) -> Iterator[Install]:
    with installer(kafka, topic_prefix, tmp_path, {"snapshot_interval": "300ms"}) as make:
        yield make


@pytest.mark.broker
def test_thirty_thousand_versions_leave_another_model_its_alerts(install: Install) -> None:
    """All lie on the topic before the worker starts: they come as fast as they can."""
    site = install()
    events = make_events(EVENTS, EVENTS // 2)
    expected = site.expected_alerts(events)
    assert expected
    publish_plan(
        site.kafka, site.topics["plans"], msgspec.structs.replace(site.plan, model="flood")
    )
    # Each event keeps the partition that it has without the flood, and comes amid it.
    dealt: list[list[bytes]] = [[] for _ in range(site.partitions)]
    per_event = FLOOD // len(events)
    for i, event in enumerate(events):
        part = dealt[i % site.partitions]
        part.append(event)
        part += [
            event.replace(b'"fraud","version":"3"', b'"flood","version":"id-%d-%d"' % (i, k))
            for k in range(per_event)
        ]
    for p, part in enumerate(dealt):
        values = ((None, value, ()) for value in [*part, last_event()])
        publish(site.kafka, site.plan.topic, values, partition=p)
    worker = site.start()
    site.wait_ready(worker)

    def told(model: str) -> list[tuple[str, int, str]]:
        found = read_alerts(site.kafka, site.topics["alerts"])
        return [identity(a) for a in found if a.data.labels.model == model]

    site.wait_for(lambda: len(told("fraud")) >= len(expected))
    assert told("fraud") == expected

    def of_versions() -> list[tuple[str, str]]:
        return [
            (alert.data.labels.model_version, alert.data.status)
            for alert in read_alerts(site.kafka, site.topics["alerts"])
            if any(signal.name == "versions" for signal in alert.data.signals)
        ]

    # Told once, and over: the last event of each partition is of a month later.
    wanted = [(OTHER_VERSION, "firing"), (OTHER_VERSION, "resolved")]
    site.wait_for(lambda: len(of_versions()) >= len(wanted))
    assert of_versions() == wanted
    assert "are counted together as version __other__" in worker.said()
    assert worker.terminate() == 0
    held = {s for monitor in site.restored().values() for s in monitor.subjects}
    assert Subject("fraud", "3") in held
    assert Subject("flood", OTHER_VERSION) in held
    assert len(held) <= 2 + site.partitions * 100
