"""A driftstream installation for one test: topics, a plan, events, real worker processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from confluent_kafka import Producer

from detectors import accumulate, fit_reference
from stream.client.alert_log import read_alerts
from stream.client.plan_topic import publish_plan, read_plans
from stream.client.records import read_topic
from stream.contracts.summary_message import Progress, decode_message
from stream.contracts.topic_names import TopicNames
from stream.decode.native import NativeDecoder
from stream.decode.record import FileRecord, Record
from stream.kafka.topics import create_topics, wanted_topics
from stream.plans.plan import Plan, PlanBook
from stream.replay import Replay
from stream.stage2.monitor import PartitionMonitor
from stream.stage2.snapshot import best_snapshot
from tests.warm_start import WarmProcess

ROOT = Path(__file__).parents[2]
SIGNALS = 6
BASE_MS = 1_767_225_600_000  # 2026-01-01
STEP_MS = 10
#: Far behind everything: one such event in each partition seals all that was before.
LAST_MS = BASE_MS + 30 * 86_400_000


def make_plan(topic: str, model: str = "fraud", **settings: object) -> Plan:
    rng = np.random.default_rng(7)
    n = 8_000
    columns = {f"f{i}": rng.normal(i, 1.0, n) for i in range(SIGNALS)}
    columns["kind"] = list(rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2]))
    reference = fit_reference(
        columns,
        model=model,
        roles=dict.fromkeys(columns, "feature"),
        times_ms=BASE_MS - 86_400_000 + np.arange(n, dtype=np.int64) * STEP_MS,
    )
    chosen = {"pane_ms": 5_000, "lateness_ms": 2_000, "window_events": 2_000, **settings}
    return Plan(model=model, reference=reference, topic=topic, **chosen)


def make_events(n: int, change_at: int | None, *, seed: int = 1) -> list[bytes]:
    """Events in time order; two signals move by half a deviation from `change_at` on."""
    rng = np.random.default_rng(seed)
    values = rng.normal(np.arange(SIGNALS), 1.0, (n, SIGNALS))
    if change_at is not None:
        values[change_at:, 1:3] += 0.5
    kinds = rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2])
    encode = json.JSONEncoder(separators=(",", ":")).encode
    return [
        encode(
            {
                "timestamp": BASE_MS + i * STEP_MS,
                "model": {"name": "fraud", "version": "3"},
                "features": {f"f{j}": v for j, v in enumerate(row)} | {"kind": kind},
            }
        ).encode()
        for i, (row, kind) in enumerate(zip(values.round(4).tolist(), kinds.tolist()))
    ]


def last_event() -> bytes:
    return json.dumps(
        {"timestamp": LAST_MS, "model": {"name": "fraud", "version": "3"}, "features": {"f0": 0.0}}
    ).encode()


@dataclass
class Worker:
    """A worker process and what it logs."""

    process: subprocess.Popen[bytes] | WarmProcess
    log: Path

    def said(self) -> str:
        return self.log.read_text()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@dataclass
class Installation:
    kafka: dict[str, object]
    prefix: str
    directory: Path
    plan: Plan
    partitions: int = 4
    summaries_partitions: int = 2
    worker: dict[str, object] = field(default_factory=dict)
    running: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = ["summaries", "plans", "alerts", "dead_letter", "state"]
        if self.plan.join_key:
            names += ["pairs", "pairs_state"]
        self.topics = {name: self.prefix + name.replace("_state", "-state") for name in names}
        wanted = wanted_topics(
            TopicNames(**self.topics),
            predictions=[self.plan.topic],
            partitions=self.summaries_partitions,
            prediction_partitions=self.partitions,
            longest_wait_ms=self.plan.outcome_wait_ms if self.plan.join_key else 0,
        )
        create_topics(self.kafka, wanted)
        publish_plan(self.kafka, self.topics["plans"], self.plan)

    # ---- events

    def produce(self, events: Sequence[bytes], *, close: bool = True) -> None:
        """Deal events to the partitions in turn; `close` seals all of them.

        One producer sends all at once: on a busy machine a pause between partitions would be
        longer than `idle_after`, and the later ones be late.
        """
        settings = {key.replace("_", "."): value for key, value in self.kafka.items()}
        producer = Producer(settings | {"queue.buffering.max.messages": 1_000_000})
        for i, event in enumerate(events):
            producer.produce(self.plan.topic, event, partition=i % self.partitions)
            producer.poll(0)
        for p in range(self.partitions if close else 0):
            producer.produce(self.plan.topic, last_event(), partition=p)
        assert producer.flush(60) == 0

    def expected_alerts(self, events: Sequence[bytes]) -> list[tuple[str, int, str]]:
        """What both stages decide in one process."""
        plans = PlanBook()
        plans.add(self.plan)
        every = enumerate([*events, last_event()])
        records = (FileRecord(i, LAST_MS, event) for i, event in every)  # as a broker's time is
        return [identity(a) for a in Replay(plans, self.plan.topic).run(records, at_end=False)]

    # ---- workers

    def config(self) -> Path:
        """A config whose plan is on the topic already, so that its reference is never read."""

        def lines(values: Mapping[str, object]) -> str:
            return "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())

        worker = {"group": self.prefix + "group", "metrics_address": "", **self.worker}
        path = self.directory / "config.toml"
        path.write_text(
            f"[kafka]\n{lines(self.kafka)}\n[worker]\n{lines(worker)}\n"
            f"[topics]\n{lines(self.topics)}\n"
            '[[models]]\nname = "fraud"\nreference = "not-read.json"\n'
        )
        return path

    def start(self, stage: str = "all", *, first: str = "") -> Worker:
        """A worker through the real command line; `first` is Python that its process begins with.

        Such as a patience that is shorter than the product's: it comes before all imports.
        """
        arguments = ["worker", "-v", "--no-publish", "-c", str(self.config()), "--stage", stage]
        log = self.directory / f"worker-{len(self.running)}.log"
        process: subprocess.Popen[bytes] | WarmProcess
        if first:
            command = [sys.executable, "-c", f"{first}; from stream.cli import main; main()"]
            with log.open("wb") as out:
                process = subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=out, stderr=out)
        else:
            process = WarmProcess(arguments, log)
        self.running.append(Worker(process, log))
        return self.running[-1]

    def stop_all(self) -> None:
        for worker in self.running:
            if worker.process.poll() is None:
                worker.kill()

    def wait_for(self, what: Callable[[], object], timeout_s: float = 180.0) -> None:
        end = time.monotonic() + timeout_s
        while not what():
            said = {w.log.name: w.said()[-1500:] for w in self.running}
            dead = [w for w in self.running if w.process.poll() not in (None, 0, -9)]
            assert not dead, f"a worker died: {said}"
            assert time.monotonic() < end, f"waited {timeout_s} s in vain: {said}"
            time.sleep(0.25)  # each look reads a topic, and there are two cores

    def wait_ready(self, worker: Worker) -> None:
        # The first of all compiles kernels.
        self.wait_for(lambda: "ready: " in worker.said(), timeout_s=240.0)

    # ---- what came out

    def alerts(self) -> list[tuple[str, int, str]]:
        return [identity(a) for a in read_alerts(self.kafka, self.topics["alerts"])]

    def through(self) -> dict[int, int]:
        """How far each source partition is summarised, as the summaries topic says."""
        done: dict[int, int] = {}
        for record in read_topic(self.kafka, self.topics["summaries"]):
            message = decode_message(record.value)
            if isinstance(message, Progress):
                partition = message.source.partition
                done[partition] = max(message.through, done.get(partition, -1))
        return done

    def restored(self) -> dict[int, PartitionMonitor]:
        """Monitors as the snapshots on the state topic have them, by partition."""
        plans = PlanBook()
        for plan, since in read_plans(self.kafka, self.topics["plans"]):
            plans.add(plan, since)
        stored: dict[int, list[tuple[bytes, bytes | None]]] = {}
        for record in read_topic(
            self.kafka, self.topics["state"], on_unread=lambda *_: None
        ):  # as a worker reads it
            stored.setdefault(record.partition, []).append((record.key, record.value))
        monitors = {}
        for partition, records in stored.items():
            found = best_snapshot(partition, records)
            if found is not None:
                monitors[partition] = PartitionMonitor(plans)
                monitors[partition].restore(*found)
        return monitors

    def counts(self) -> np.ndarray:
        """All that is counted in the snapshots, windows and open panes together."""
        total = np.zeros(self.plan.layout.width, np.int64)
        for monitor in self.restored().values():
            monitor.seal_all()
            for subject in monitor.subjects.values():
                if subject.detection is not None:
                    total += subject.detection.windows.filling[""].counts
        return total

    def truth(self, events: Sequence[bytes]) -> np.ndarray:
        """The same counted directly."""
        plans = PlanBook()
        plans.add(self.plan)
        total = np.zeros((1, self.plan.layout.width), np.int64)
        records: list[Record] = [FileRecord(i, 0, e) for i, e in enumerate(events)]
        decoder = NativeDecoder(plans, max_ahead_ms=2**62)
        for at in range(0, len(records), 4_000):
            for group in decoder.decode(records[at : at + 4_000]).groups:
                positions = self.plan.layout.positions(group.numeric, group.codes)
                accumulate(positions, np.zeros(len(group.rows), np.int32), total)
        return total[0]


Install = Callable[..., Installation]


@contextmanager
def installer(
    kafka: dict[str, object], prefix: str, directory: Path, worker: dict[str, object]
) -> Iterator[Install]:
    """Give a function (plan settings, **worker settings) that sets an installation up."""
    made: list[Installation] = []

    def make(plan: dict[str, object] | None = None, **settings: object) -> Installation:
        watched = make_plan(prefix + "events", **(plan or {}))
        # Without idleness all that is decided is a function of the events (law 3).
        with_settings = {"idle_after": "10m", **worker, **settings}
        made.append(Installation(kafka, prefix, directory, watched, worker=with_settings))
        return made[-1]

    try:
        yield make
    finally:
        for installation in made:
            installation.stop_all()


def identity(alert: object) -> tuple[str, int, str]:
    data = alert.data  # type: ignore[attr-defined]
    return data.episode, data.revision, data.status
