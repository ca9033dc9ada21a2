"""Clocks that lead, on a real broker: nobody else is late, and what drifts is found in time."""

from __future__ import annotations

import heapq
import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Producer

from detectors import Reference
from stream.cli import cli
from stream.client.alert_log import read_alerts
from stream.client.plan_topic import publish_plan
from stream.contracts.summary_message import Source
from stream.decode.native import NativeDecoder
from stream.decode.record import LOG_APPEND_TIME, FileRecord
from stream.devbroker.broker import free_port
from stream.kafka.topics import WantedTopic, create_topics
from stream.plans.plan import Plan, PlanBook
from stream.stage1.summarise import Summariser
from stream.stage2.monitor import PartitionMonitor
from tests.chaos.wire import Topic
from tests.integration.worker_kit import SIGNALS, Install, installer, make_plan

pytestmark = pytest.mark.broker
PARTITIONS = 4
PANE_MS, LATENESS_MS = 1_000, 3_000
AHEAD_MS = 20_000
RATE, DRIFT_S, END_S = 100, 7, 15
SETTINGS = {
    "pane_ms": PANE_MS, "lateness_ms": LATENESS_MS, "window_events": 5_000, "window_min_events": 50,
}  # fmt: skip
CREATED = "created"  # the model whose topic no broker stamps


@pytest.fixture
def install(kafka: dict[str, object], topic_prefix: str, tmp_path: Path) -> Iterator[Install]:
    address = f"127.0.0.1:{free_port()}"
    with installer(kafka, topic_prefix, tmp_path, {"metrics_address": address}) as make:
        yield make


def send(bootstrap: object, topics: dict[str, str]) -> int:
    """Events of now to the topics of both models; when the drift began.

    Every tenth is of a host whose clock leads, and stamps its records with it. From the drift on
    two signals of all hosts are off by 4 sd.
    """
    rng = np.random.default_rng(3)
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
    began = time.time()
    drift_ms = round((began + DRIFT_S) * 1000)
    for i in range(RATE * END_S):
        time.sleep(max(0.0, began + i / RATE - time.time()))
        now = round(time.time() * 1000)
        at = now + (AHEAD_MS if i % 10 == 7 else 0)
        values = rng.normal(np.arange(SIGNALS), 1.0)
        values[1:3] += 4.0 * (now >= drift_ms)
        features = {f"f{j}": v for j, v in enumerate(values.round(4).tolist())}
        features["kind"] = str(rng.choice(["a", "b", "c"], p=[0.5, 0.3, 0.2]))
        for model, topic in topics.items():
            event = {"timestamp": at, "model": {"name": model, "version": "3"}}
            value = json.dumps(event | {"features": features, "tags": {"sent": now}})
            partition = int(rng.integers(PARTITIONS))
            producer.produce(topic, value, partition=partition, timestamp=at)
        producer.poll(0)
    assert producer.flush(20) == 0
    return drift_ms


def told_at(bootstrap: str, topic: str, plan: Plan) -> tuple[int, Summariser]:
    """When the drift is told of, by the time of the record that brings it about; and a reader.

    Both stages read the records as the broker gives them, in the order in which they were sent.
    """
    book = PlanBook()
    book.add(plan)
    readers = [
        Summariser(Source("id", topic, p, PARTITIONS), book, NativeDecoder(book))
        for p in range(PARTITIONS)
    ]
    monitor = PartitionMonitor(book)
    logs: list[list[tuple[int, int, FileRecord]]] = [[] for _ in range(PARTITIONS)]
    for found in Topic(bootstrap, topic).more():
        kind, stamp = found.timestamp()
        by = LOG_APPEND_TIME if kind == TIMESTAMP_LOG_APPEND_TIME else 0
        sent = json.loads(found.value())["tags"]["sent"]
        record = FileRecord(found.offset(), stamp, found.value(), timestamp_type=by)
        logs[found.partition()].append((sent, found.partition(), record))
    told, offset = 0, 0
    # A machine that stalls for seconds brings honest events too late to the broker.
    overdue = sum(r.timestamp - sent > LATENESS_MS for log in logs for sent, _, r in log)
    overdue *= plan.model != CREATED
    for sent, partition, record in heapq.merge(*logs, key=lambda row: row[0]):
        for flush in readers[partition].add([record]):
            for value in (*(value for _, value in flush.summaries), flush.progress):
                alerts = monitor.apply(offset, value, 0, plans_current=True)
                offset += 1
                if not told and any(a.data.labels.kind == "data_drift" for a in alerts):
                    told = sent
    assert sum(sum(reader.stats.late.values()) for reader in readers) <= overdue
    assert sum(reader.stats.events[plan.model] for reader in readers) == RATE * END_S
    return told, readers[0]


def test_a_clock_that_leads_hides_no_drift_and_is_told_of(
    install: Install, kafka: dict[str, object], tmp_path: Path
) -> None:
    site = install(SETTINGS)
    created = make_plan(site.prefix + CREATED, CREATED, **SETTINGS)
    create_topics(kafka, [WantedTopic(created.topic, PARTITIONS, {}, ours=False)])
    publish_plan(kafka, site.topics["plans"], created)
    worker = site.start()
    site.wait_ready(worker)
    topics = {site.plan.model: site.plan.topic, CREATED: created.topic}
    drift_ms = send(kafka["bootstrap_servers"], topics)

    # By the records alone: a busy machine may read them later, and decides the same.
    for plan, kind in ((site.plan, "LogAppendTime"), (created, "CreateTime")):
        told_ms, reader = told_at(str(kafka["bootstrap_servers"]), plan.topic, plan)
        assert reader.stats.clock is not None
        assert reader.stats.clock.type == kind
        assert drift_ms < told_ms <= drift_ms + PANE_MS + LATENESS_MS + 3_000

    def kinds() -> set[tuple[str, str]]:
        alerts = read_alerts(kafka, site.topics["alerts"])
        return {(a.data.labels.model, a.data.labels.kind) for a in alerts}

    wanted = {("fraud", "data_drift"), (CREATED, "data_drift"), ("fraud", "system")}
    site.wait_for(lambda: wanted <= kinds())
    (system,) = {
        (signal.test, signal.change)
        for alert in read_alerts(kafka, site.topics["alerts"])
        for signal in alert.data.signals
        if (alert.data.labels.model, alert.data.labels.kind) == ("fraud", "system")
    }
    assert system[0] == "clock_ahead"

    with urllib.request.urlopen(f"http://{site.worker['metrics_address']}/metrics") as answer:
        page = answer.read().decode().splitlines()
    shown = dict(line.rsplit(" ", 1) for line in page if not line.startswith("#"))
    for model, topic in topics.items():
        assert float(shown[f'driftstream_events_ahead_total{{model="{model}"}}']) > 0
        kind = "CreateTime" if model == CREATED else "LogAppendTime"
        assert float(shown[f'driftstream_record_time{{topic="{topic}",type="{kind}"}}']) == 1
    assert float(shown['driftstream_event_lead_seconds{model="fraud"}']) > 19
    assert worker.terminate() == 0


def test_check_refuses_a_topic_of_several_models_that_no_broker_stamps(
    kafka: dict[str, object], topic_prefix: str, tmp_path: Path
) -> None:
    topic = topic_prefix + "events"
    create_topics(kafka, [WantedTopic(topic, 1, {}, ours=False)])
    reference: Reference = make_plan(topic).reference
    (tmp_path / "r.json").write_bytes(reference.to_json())
    names = ("summaries", "plans", "alerts", "dead_letter", "state")
    head = f'[kafka]\nbootstrap_servers = "{kafka["bootstrap_servers"]}"\n[topics]\n'
    head += "".join(f'{name} = "{topic_prefix}{name}"\n' for name in names)

    def checked(models: int, lateness: str) -> tuple[int, str]:
        path = tmp_path / "config.toml"
        path.write_text(
            head
            + "".join(
                f'[[models]]\nname = "m{i}"\nsignals = "auto"\ntopic = "{topic}"\n'
                f'lateness = "{lateness}"\n'
                for i in range(models)
            )
        )
        assert CliRunner().invoke(cli, ["topics", "-c", str(path), "--create"]).exit_code == 0
        done = CliRunner().invoke(cli, ["check", "-c", str(path)])
        return done.exit_code, done.output

    code, said = checked(2, "5s")
    assert code == 1
    assert "2 models (m0, m1)" in said
    command = f"--alter --topic {topic} --add-config message.timestamp.type=LogAppendTime"
    assert command in said
    code, said = checked(1, "2s")
    assert code == 0
    assert "note: " in said
    assert command in said
    assert "m0: lateness is 2 s on a CreateTime topic" in said
    # A topic that driftstream makes is stamped by the broker, for however many models.
    topic = topic_prefix + "ours"
    code, said = checked(2, "2s")
    assert (code, "CreateTime" in said) == (0, False)
