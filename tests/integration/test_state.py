"""State that can be trusted: damage is seen and mended, and people can look at it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream.cli import cli
from stream.client.records import publish, read_topic
from stream.contracts.topic_names import TopicNames
from stream.kafka.topics import create_topics, delete_topics, wanted_topics
from tests.integration.worker_kit import Install, Installation, installer, make_events

pytestmark = pytest.mark.broker
N = 20_000


@pytest.fixture
def install(kafka: dict[str, object], topic_prefix: str, tmp_path: Path) -> Iterator[Install]:
    with installer(kafka, topic_prefix, tmp_path, {"snapshot_interval": "300ms"}) as make:
        yield make


def state(site: Installation, *arguments: object) -> Result:
    words = ["state", *map(str, arguments), "-c", str(site.config())]
    return CliRunner().invoke(cli, words)


def newest(site: Installation) -> dict[tuple[int, bytes], bytes]:
    """What a compacted state topic would hold."""
    found: dict[tuple[int, bytes], bytes | None] = {}
    for record in read_topic(site.kafka, site.topics["state"]):
        found[record.partition, record.key] = record.value
    return {place: value for place, value in found.items() if value is not None}


def half_read(site: Installation, events: list[bytes]) -> None:
    """A worker that has read half of the events, and is gone."""
    worker = site.start()
    site.wait_ready(worker)
    site.produce(events[: N // 2], close=False)
    site.wait_for(lambda: sum(m.fence for m in site.restored().values()) > 10)
    assert worker.terminate() == 0


def finish(site: Installation, events: list[bytes]) -> str:
    expected = site.expected_alerts(events)
    worker = site.start()
    site.wait_ready(worker)
    site.produce(events[N // 2 :])
    site.wait_for(lambda: len(site.alerts()) >= len(expected))
    assert site.alerts() == expected
    assert worker.terminate() == 0
    return worker.said()


def test_damaged_snapshots_are_refused_and_rebuilt(install: Install) -> None:
    """Truncated blocks, a manifest of another version, garbage: the same alerts all the same."""
    site = install()
    events = make_events(N, N // 2)
    half_read(site, events)
    for (partition, key), value in newest(site).items():
        wrong = value[: len(value) // 2] if key.startswith(b"block") else b"DRFM\x01" + value[5:]
        publish(site.kafka, site.topics["state"], [(key, wrong, ())], partition=partition)
    listed = state(site, "list")
    assert listed.exit_code == 1
    assert "format 1 of another version of driftstream; this one reads 2" in listed.output
    said = finish(site, events)
    assert said.count("no complete snapshot that this version can read: the state is rebuilt") == 2
    assert "is not used: format 1 of another version" in said
    assert state(site, "list").exit_code == 0


def test_a_snapshot_of_a_former_summaries_topic_is_refused(install: Install) -> None:
    """Its fence would be an offset of another log: what is there now would be skipped."""
    site = install()
    events = make_events(N, None)
    half_read(site, events)
    summaries = site.topics["summaries"]
    delete_topics(site.kafka, [summaries])
    wanted = wanted_topics(TopicNames(**site.topics), partitions=site.summaries_partitions)
    site.wait_for(lambda: create_topics(site.kafka, wanted) == [summaries])
    listed = state(site, "list")
    assert listed.exit_code == 1
    assert "it is of another summaries topic (id " in listed.output
    worker = site.start()
    site.wait_ready(worker)
    assert "is not used: it is of another summaries topic (id " in worker.said()
    site.produce(events[N // 2 :])
    # Each partition goes on where its events were acknowledged: at the end, as they are few.
    site.wait_for(lambda: len(site.through()) == site.partitions)
    site.wait_for(lambda: all(m.fence > 5 for m in site.restored().values()) and site.restored())
    assert worker.terminate() == 0
    assert state(site, "list").exit_code == 0


def test_people_look_at_the_state_and_reset_it(install: Install) -> None:
    site = install()
    events = make_events(N, N // 2)
    half_read(site, events)

    listed = state(site, "list")
    assert listed.exit_code == 0, listed.output
    assert "fraud/3" in listed.output
    assert " kB" in listed.output
    shown = state(site, "show", "fraud", "--json")
    assert shown.exit_code == 0, shown.output
    facts = json.loads(shown.stdout)
    held = next(m for m in site.restored().values() if m.subjects)
    [subject] = held.subjects.values()
    assert facts["panes_sealed"] == subject.panes_sealed
    assert (facts["fence"], facts["subject"]) == (held.fence, "fraud/3")
    assert "open panes" in state(site, "show", "fraud").stdout
    absent = state(site, "show", "other")
    assert absent.exit_code == 1
    assert "no snapshot on" in absent.output

    worker = site.start()
    site.wait_ready(worker)
    busy = state(site, "reset", "--yes")
    assert busy.exit_code == 1
    assert "is in use by 1 worker: " in busy.output
    assert worker.terminate() == 0
    before = newest(site)
    asked = CliRunner().invoke(cli, ["state", "reset", "-c", str(site.config())], input="n\n")
    assert asked.exit_code == 1
    assert newest(site) == before
    wrong = state(site, "reset", "--yes", "--partition", 7)
    assert wrong.exit_code == 2
    assert "has partitions 0 to 1; got 7" in wrong.output

    gone = state(site, "reset", "--yes")
    assert gone.exit_code == 0, gone.output
    assert f"deleted {len(before)} records" in gone.output
    assert newest(site) == {}
    assert "nothing to reset" in state(site, "reset", "--yes").output
    finish(site, events)
