"""Every reader of bytes that others wrote: how it is called, and what it may answer."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from detectors import InvalidReferenceError, Reference
from stream.config.load import ConfigError, load_config
from stream.contracts.acks import decode_alert_or_ack, encode_ack, make_ack
from stream.contracts.alert_event import AlertError, encode_alert
from stream.contracts.prediction_event import ARROW_CONTENT_TYPE
from stream.contracts.summary_message import (
    Idle,
    Progress,
    Source,
    SummaryBatch,
    SummaryEntry,
    SummaryError,
    decode_message,
    encode_message,
)
from stream.decode import FormatDecoder, NativeDecoder, SourceOptions
from stream.decode.record import FileRecord
from stream.join.partition import PartitionJoin
from stream.plans.parts import PlanAssembler, plan_parts
from stream.plans.plan import Learn, LearningPlan, Plan, PlanBook, PlanError, decode_plan
from stream.replay import Replay
from stream.sketches.sketch import Sketch
from stream.stage1.summarise import Summariser
from stream.stage2.monitor import PartitionMonitor
from stream.stage2.snapshot import (
    SnapshotError,
    SnapshotWriter,
    best_snapshot,
    open_block,
    stored_rounds,
)
from tests.fuzz.batches import batch_seeds, read_batch
from tests.fuzz.formats import FOREIGN
from tests.stream.harness import START_S, make_events, make_plan, run_stages
from tests.stream.join.log_world import PAIRS, World

__all__ = ["Reader", "make_readers"]

ARROW_HEADERS = (("content-type", ARROW_CONTENT_TYPE.encode()),)


@dataclass
class Reader:
    """`read` returns whether the input was taken; anything it raises but `refusals` is a crash.

    `share` is its part of all inputs.
    """

    name: str
    share: float
    seeds: list[bytes]
    read: Callable[[bytes], bool]
    refusals: tuple[type[Exception], ...] = ()
    form: str = ""  # of the documents that its seeds are, if any


def make_readers(folder: Path) -> list[Reader]:
    """All readers, with seeds that they take. `folder` is for the config file."""
    plan = make_plan()
    book = PlanBook()
    book.add(plan)
    events = make_events(1, 600, drift_at=200)
    _, monitor = run_stages(book, events, partitions=2, seed=3)
    messages = _messages(book, events)
    return [
        Reader("record batch", 0.03, batch_seeds(), read_batch),
        Reader("event", 0.10, _events(events), _stage1(book), form="json"),
        Reader("batch", 0.10, _batches(), _stage1(book), form="json"),
        *format_readers(book, events),
        Reader("arrow", 0.09, _arrows(), _stage1(book, ARROW_HEADERS)),
        Reader("summary", 0.13, messages, _decode_summary, (SummaryError,), "msgpack"),
        Reader("monitor", 0.06, messages, _stage2(book), form="msgpack"),
        Reader("pairs", 0.02, *_pairs(), form="msgpack"),
        Reader("panes", 0.04, _counts(messages), _panes(plan, book)),
        Reader("snapshot", 0.06, *_snapshots(monitor)),
        Reader("state", 0.05, *_states(monitor, book)),
        Reader(
            "reference",
            0.04,
            [plan.reference.to_json()],
            _reference,
            (InvalidReferenceError,),
            "json",
        ),
        Reader("plan", 0.04, [plan.encode(0)], _plan, (PlanError,), "json"),
        Reader("plan part", 0.02, [b"\0".join(p) for p in plan_parts(plan)], _plan_part()),
        Reader("alert", 0.03, _alerts(book, events), _alert, (AlertError,), "json"),
        Reader("config", 0.02, [CONFIG.encode()], _config(folder), (ConfigError,)),
        *_learning_readers(make_events(1, 1_300, ages=True)),
    ]


def _learning_readers(events: list[bytes]) -> list[Reader]:
    """Those of a model without a reference, which keeps all that is sent."""
    book = PlanBook()
    book.add(
        LearningPlan(model="fraud", learn=Learn(1_000), segments=("region", ("region", "age")))
    )
    _, monitor = run_stages(book, events, partitions=2, seed=3)
    sketches = _counts(_messages(book, events))
    return [
        Reader("open event", 0.04, _events(events), _stage1(book), form="json"),
        Reader("open batch", 0.03, _batches(), _stage1(book), form="json"),
        Reader("open arrow", 0.02, _arrows(), _stage1(book, ARROW_HEADERS)),
        Reader("sketch", 0.02, sketches, _sketch, (ValueError,), "msgpack"),
        Reader("learned state", 0.01, *_states(monitor, book)),
    ]


def _pairs() -> tuple[list[bytes], Callable[[bytes], bool]]:
    """What stage 1 tells the join of one pairs partition, between two words that settle it."""
    world = World()
    world.run(random.Random(1), faults=0.0)
    log = [value for _, value in world.pairs[0]]

    def read(data: bytes) -> bool:
        join = PartitionJoin(world.book, "id", 0, PAIRS)
        for offset, value in enumerate((*log[:20], data, *log[-20:])):
            join.apply(offset, value, 0, plans_current=True)
        return not join.refused

    return log[20:60], read


def _sketch(data: bytes) -> bool:
    return bool(Sketch.total([data, data]).encode())


# ---- stage 1


def format_readers(book: PlanBook, events: list[bytes]) -> list[Reader]:
    """Stage 1 of topics that are in another format; 0.05 of all inputs together."""
    share = 0.05 / len(FOREIGN)
    return [
        Reader(
            one.name,
            share,
            one.seeds(_events(events)),
            _stage1(book, one.headers, one.source),
            form=one.form,
        )
        for one in FOREIGN
    ]


def _stage1(
    book: PlanBook, headers: tuple[tuple[str, bytes], ...] = (), source: SourceOptions | None = None
) -> Callable[[bytes], bool]:
    """Decode and count, in one process that lives on: what is refused is a dead letter."""
    decoder = FormatDecoder(NativeDecoder(book), source)
    reader = Summariser(Source("id", "predictions", 0, 1), book, decoder)
    offset = 0

    def read(data: bytes) -> bool:
        nonlocal offset
        refused = sum(reader.stats.rejected.values())
        record = FileRecord(offset, START_S * 1000 + offset, data, None, headers)
        offset += 1
        flushes = reader.add([record])
        if offset % 256 == 0 and (last := reader.flush_idle()) is not None:
            flushes.append(last)
        for flush in flushes:
            assert all(len(value) <= 1_000_000 for _, value in flush.summaries)
            assert all(len(reject.error) <= 200 for _, reject in flush.rejects)
        return sum(reader.stats.rejected.values()) == refused

    return read


def _events(events: list[bytes]) -> list[bytes]:
    full = {
        "schema": "driftstream.prediction.v1", "prediction_id": "3f0c",
        "timestamp": "1970-01-12T13:46:40Z", "model": {"name": "fraud", "version": "3"},
        "features": {"x": 12.5, "c": "a", "z": None, "q": [1, {"a": "b"}]},
        "prediction": {"label": "ok", "score": 0.9}, "actual": {"label": "ok"},
        "segments": {"region": "eu"}, "latency_seconds": 0.01, "tags": {},
    }  # fmt: skip
    bare = {**full, "prediction": 0.5, "actual": "ok", "timestamp": 1_000_000.5}
    truth = {**full, "prediction_timestamp": "1970-01-11T13:46:40Z"}
    return [*events[:5], *(json.dumps(one).encode() for one in (full, bare, truth))]


def _batches() -> list[bytes]:
    columns = {
        "timestamp": [START_S + i for i in range(4)],
        "prediction_id": ["a", "b", "c", None],
        "features": {"x": [1.0, 2.5, None, 3], "c": ["a", "b", "zz", None], "z": [1, 2, 3, 4]},
        "prediction": {"score": [0.1, 0.2, 0.3, 0.4]},
        "actual": {"label": ["ok", None, "ok", "ok"]},
        "prediction_timestamp": [None, START_S - 60.0, "1970-01-11", 1],
        "segments": {"region": ["eu", "us", None, "eu"]},
    }
    model = {"name": "fraud", "version": "3"}
    bare = {**columns, "prediction": [0.5, 0.5, 0.5, 0.5], "latency_seconds": [0.1, 1, 2, 3]}
    return [json.dumps({"model": model, "columns": c}).encode() for c in (columns, bare)]


def _arrows() -> list[bytes]:
    times = pa.array([START_S * 1000 + i for i in range(3)], pa.timestamp("ms"))
    flat = {
        "timestamp": times,
        "features.x": [1.0, None, 3.0],
        "features.c": pa.array(["a", None, "zz"]).dictionary_encode(),
        "prediction.score": pa.array([0.1, 0.2, 0.3], pa.float32()),
        "segments.region": ["eu", "us", None],
        "unread": [[1], [2], []],
    }
    nested = {
        "timestamp": times,
        "features": pa.array([{"x": 1.0, "c": "a"}] * 3),
        "prediction": [0.1, 0.2, 0.3],
    }
    found = []
    for columns in (flat, nested):
        table = pa.table(columns).replace_schema_metadata({"model.name": "fraud"})
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as out:
            out.write_table(table)
        found.append(sink.getvalue())
    return found


# ---- the summaries topic


def _messages(book: PlanBook, events: list[bytes]) -> list[bytes]:
    source = Source("id", "predictions", 0, 1)
    reader = Summariser(source, book, NativeDecoder(book), chunk_records=64)
    records = [FileRecord(i, (START_S + i) * 1000, e) for i, e in enumerate(events[:200])]
    found = [
        value
        for flush in reader.add(records)
        for value in (*(value for _, value in flush.summaries), flush.progress)
    ]
    return [*found[:20], encode_message(Idle(source, 200))]


def _decode_summary(data: bytes) -> bool:
    return decode_message(data) is not None


def _stage2(book: PlanBook) -> Callable[[bytes], bool]:
    """A monitor that lives on: whatever is on the topic is taken, or refused and counted."""
    monitor = PartitionMonitor(book)
    offset = 0

    def read(data: bytes) -> bool:
        nonlocal offset, monitor
        refused = sum(monitor.refused.values())
        monitor.apply(offset, data, START_S * 1000 + offset, plans_current=True)
        offset += 1
        assert monitor.fence == offset
        if offset % 5_000 == 0:  # what came in can be stored, and be read again
            planned = monitor.take_round(SnapshotWriter(0, "fuzz"))
            assert planned is not None
            found = best_snapshot(0, [*planned.blocks, planned.manifest])
            assert found is not None
            monitor = PartitionMonitor(book)
            monitor.restore(*found)
        return sum(monitor.refused.values()) == refused

    return read


def _counts(messages: list[bytes]) -> list[bytes]:
    return [
        entry.counts
        for message in map(decode_message, messages)
        if isinstance(message, SummaryBatch)
        for entry in message.entries
    ]


def _panes(plan: Plan, book: PlanBook) -> Callable[[bytes], bool]:
    """Counts of a pane each, in order: windows fill, and the tests see what they hold."""
    monitor, source, chunk = PartitionMonitor(book), Source("id", "predictions", 0, 1), 0

    def read(data: bytes) -> bool:
        nonlocal chunk
        refused = sum(monitor.refused.values())
        pane_ms = plan.pane_of(START_S * 1000) + chunk * plan.pane_ms
        segment = f"region={len(data) % 2}"
        entries = [SummaryEntry(name, pane_ms, data) for name in ("", segment)]
        for message in (
            SummaryBatch(source, chunk, chunk, plan.model, "1", plan.short_hash, 0, entries),
            Progress(source, chunk, chunk, pane_ms + plan.pane_ms + plan.lateness_ms),
        ):
            monitor.apply(monitor.fence, encode_message(message), pane_ms, plans_current=True)
        chunk += 1
        return sum(monitor.refused.values()) == refused

    return read


# ---- the state topic


def _snapshots(monitor: PartitionMonitor) -> tuple[list[bytes], Callable[[bytes], bool], Any]:
    monitor._round_fence = -1
    planned = monitor.take_round(SnapshotWriter(0, "w"))
    assert planned is not None
    records = [*planned.blocks, planned.manifest]

    def read(data: bytes) -> bool:
        """As one of the records of a partition, and as a block by itself."""
        changed = records.copy()
        at = len(data) % len(records)
        changed[at] = (records[at][0], data)
        assert [stored.fault == "" for stored in stored_rounds(0, changed)] in ([True], [False])
        return bool(open_block(data))

    return [value for _, value in records], read, (SnapshotError,)


def _states(
    monitor: PartitionMonitor, book: PlanBook
) -> tuple[list[bytes], Callable[[bytes], bool], Any]:
    """Payloads with a good checksum and wrong content: only a bug of ours or a foe makes them."""
    monitor._round_fence = -1
    planned = monitor.take_round(SnapshotWriter(0, "w"))
    assert planned is not None
    found = best_snapshot(0, [*planned.blocks, planned.manifest])
    assert found is not None
    manifest, payloads = found
    names = sorted(payloads)
    rng = random.Random(0)

    def read(data: bytes) -> bool:
        PartitionMonitor(book).restore(manifest, {**payloads, rng.choice(names): data})
        return True

    return [payloads[name] for name in names], read, (SnapshotError,)


# ---- documents


def _plan(data: bytes) -> bool:
    return bool(decode_plan(data))


def _reference(data: bytes) -> bool:
    return bool(Reference.from_json(data).signals)


def _plan_part() -> Callable[[bytes], bool]:
    assembler = PlanAssembler()
    seen = 0

    def read(data: bytes) -> bool:
        nonlocal assembler, seen
        seen += 1
        if seen % 1_000 == 0:  # parts without the others are kept: a restart forgets them
            assembler = PlanAssembler()
        key, _, value = data.partition(b"\0")
        return bool(assembler.add(key, value))

    return read


def _alerts(book: PlanBook, events: list[bytes]) -> list[bytes]:
    records = [FileRecord(i, 0, event) for i, event in enumerate(events)]
    found = list(Replay(book).run(records))
    ack = make_ack(found[0], 0, 1_000, "me", "a note")
    return [*map(encode_alert, found[:3]), encode_ack(ack)]


def _alert(data: bytes) -> bool:
    return decode_alert_or_ack(data, "fuzz") is not None


CONFIG = """
[kafka]
bootstrap_servers = "a:1,b:2"
security_protocol = "SASL_SSL"
sasl_mechanism = "PLAIN"
sasl_username = "me"
sasl_password = "${SECRET}"
[worker]
metrics_address = "127.0.0.1:9464"
idle_after = "5m"
max_ready_lag = 7
[topics]
partitions = 2
[privacy]
hash_key = "0123456789abcdef0"
[[models]]
name = "fraud"
reference = "fraud.json"
segments = ["region"]
pane = "10s"
window = { events = 1000, max_age = "24h", min_events = 300 }
[models.signals.amount]
importance = 0.4
tests = ["psi", "adwin"]
privacy = "drop"
[[sources]]
topic = "predictions"
model = "fraud"
[sources.mapping]
timestamp = "at"
features = "in.rows[0].*"
ignore = ["a"]
segments = { region = "geo.region" }
[[notify]]
type = "webhook"
url = "http://localhost:1/x"
secret = "s"
"""


def _config(folder: Path) -> Callable[[bytes], bool]:
    path = folder / "config.toml"

    def read(data: bytes) -> bool:
        path.write_bytes(data)
        return bool(load_config(path, {"SECRET": "pw"}).models)

    return read
