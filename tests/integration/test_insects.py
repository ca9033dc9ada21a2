"""INSECTS through a real broker and worker: the same alert ids as through `Replay`."""

from __future__ import annotations

from pathlib import Path

from stream.client.alert_log import read_alerts
from stream.client.records import publish
from stream.contracts.alert_event import AlertEvent, parse_time
from stream.decode.record import FileRecord
from stream.plans.plan import PlanBook
from stream.replay import Replay
from tests import insects
from tests.integration.worker_kit import Installation

PARTITIONS = 3
#: The last panes wait for their partition's next word; what is decided earlier is compared.
MARGIN_MS = 60_000


def identity(alert: AlertEvent) -> tuple[str, str, int, str]:
    return alert.id, alert.data.episode, alert.data.revision, alert.data.status


def test_kafka_and_replay_give_the_same_alert_ids(kafka, topic_prefix, tmp_path: Path):
    rows = insects.table()
    plan = insects.plan(rows, topic_prefix + "events")
    events = insects.stream(rows)
    book = PlanBook()
    book.add(plan)
    until = (insects.START_S + len(events)) * 1000 - MARGIN_MS
    replayed = [
        identity(alert)
        for alert in Replay(book, plan.topic).run(FileRecord(i, 0, v) for i, v in enumerate(events))
        if parse_time(alert.time) <= until
    ]
    assert replayed
    site = Installation(
        kafka, topic_prefix, tmp_path, plan, partitions=PARTITIONS, worker={"idle_after": "10m"}
    )
    try:
        worker = site.start()
        for p in range(PARTITIONS):
            publish(kafka, plan.topic, ((None, v, ()) for v in events[p::PARTITIONS]), partition=p)

        def seen() -> list[tuple[str, str, int, str]]:
            alerts = read_alerts(kafka, site.topics["alerts"])
            return [identity(a) for a in alerts if parse_time(a.time) <= until]

        site.wait_for(lambda: len(seen()) >= len(replayed))
        assert seen() == replayed
        assert worker.process.poll() is None
    finally:
        site.stop_all()
