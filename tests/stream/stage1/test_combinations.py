"""Combinations of segments: whatever form events come in, a naive count of tuples is the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detectors import ColumnMapping, Reference, fit_reference
from detectors.counting.sparse import decode_counts
from detectors.references.segments import Segment, other_scope, scope_name, segment_name, segment_of
from stream.contracts.summary_message import Source, SummaryBatch, decode_message
from stream.decode.native import NativeDecoder
from stream.decode.record import FileRecord
from stream.files import read_batches
from stream.files.row_batches import packed
from stream.files.row_events import EventRows, RowMapping
from stream.plans.plan import AnyPlan, Learn, LearningPlan, Plan, PlanBook
from stream.stage1 import chunk_counts
from stream.stage1.summarise import Summariser

N = 900
START = datetime(2026, 1, 1, tzinfo=UTC)
SEGMENTS: tuple[Segment, ...] = (
    ("sex", "age"),
    "region",
    ("sex", "age", "region"),
    ("age", "region"),
)
COLUMNS = ("sex", "age", "region")
LONG = "x" * 201


def rows(seed: int = 3) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    values: dict[str, Sequence[str | None]] = {
        "sex": ("F", "M", None),
        "age": ("60+", "-60", "60+, region=eu", "\\", None, LONG),
        "region": ("eu", "us", "eu, sex=F", "", None),
    }
    found = {
        name: [of[i] for i in rng.integers(0, len(of), N).tolist()] for name, of in values.items()
    }
    times = [(START + timedelta(seconds=i)).isoformat() for i in range(N)]
    return {"ts": times, "x": rng.normal(size=N).tolist(), **found}


@pytest.fixture(scope="module")
def reference() -> Reference:
    return fit_reference(
        {"x": np.random.default_rng(1).normal(size=500).tolist()},
        model="m",
        segments=SEGMENTS,
        column_mapping=ColumnMapping("ts"),
    )


def plan_of(reference: Reference, **settings: Any) -> Plan:
    return Plan(model="m", reference=reference, segments=SEGMENTS, pane_ms=60_000, **settings)


def naive(data: dict[str, Any], segments: Iterable[Segment] = SEGMENTS) -> Counter[tuple[str, int]]:
    """Events by scope and pane."""
    counts: Counter[tuple[str, int]] = Counter()
    for i in range(N):
        pane = int((START + timedelta(seconds=i)).timestamp()) // 60 * 60_000
        counts["", pane] += 1
        for segment in segments:
            members = (segment,) if isinstance(segment, str) else segment
            values = [data[member][i] for member in members]
            if None in values:
                continue
            scope = scope_name(segment, values[0] if isinstance(segment, str) else values)
            folded = any(len(value) > 200 for value in values)
            counts[other_scope(segment_name(segment)) if folded else scope, pane] += 1
    return counts


def counted(plan: AnyPlan, records: Sequence[FileRecord], poll: int) -> dict[tuple[str, int], int]:
    """The same of what the stages have made of records: they are summarised, merged and sealed."""
    book = PlanBook()
    book.add(plan)
    reader = Summariser(
        Source("id", "t", 0, 1), book, NativeDecoder(book, max_ahead_ms=2**62), chunk_records=256
    )
    flushes = [f for i in range(0, len(records), poll) for f in reader.add(records[i : i + poll])]
    flushes += [last] if (last := reader.flush_idle()) else []
    assert reader.stats.rejected == {}
    held: dict[tuple[int, str, int], bytes] = {}
    for flush in flushes:
        for _, value in flush.summaries:
            batch = decode_message(value)
            assert isinstance(batch, SummaryBatch)
            for entry in batch.entries:
                held[batch.chunk, entry.segment, entry.pane_ms] = entry.counts
    found: Counter[tuple[str, int]] = Counter()
    for (_, segment, pane), counts in held.items():
        found[segment, pane] += events_of(plan, counts)
    return dict(found)


def events_of(plan: AnyPlan, counts: bytes) -> int:
    assert isinstance(plan, Plan)
    return int(decode_counts(counts, plan.layout.width)[0])


def records_of(messages: Iterable[tuple[Any, bytes, str]]) -> Iterator[FileRecord]:
    for i, (_, value, kind) in enumerate(messages):
        yield FileRecord(i, 0, value, headers=(("content-type", kind.encode()),))


@pytest.mark.parametrize("form", ["native", "batch", "arrow"])
@pytest.mark.parametrize("poll", [1, 37, N])
def test_every_form_of_event_counts_the_same_combinations(
    reference: Reference, form: str, poll: int
) -> None:
    data = rows()
    messages = packed(EventRows(RowMapping.of(reference)).events(data), form)
    found = counted(plan_of(reference), list(records_of(messages)), poll)
    assert found == naive(data)
    assert sum(", " in scope for scope, _ in found) > 100, "there are combinations"


def test_members_that_only_a_slow_path_reads_count_the_same(reference: Reference) -> None:
    """A feature of a wrong type sends an event the long way; members are numbers and texts."""
    data = rows()
    values = []
    for i in range(N):
        event = {
            "model": {"name": "m"},
            "timestamp": data["ts"][i],
            "features": {"x": [1] if i % 2 else 0.5},
            "segments": {name: data[name][i] for name in COLUMNS} | {"unknown": 3},
        }
        values.append(msgspec.json.encode(event))
    records = [FileRecord(i, 0, value) for i, value in enumerate(values)]
    assert counted(plan_of(reference), records, 50) == naive(data)


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_rows_of_a_file_count_the_same(reference: Reference, form: str, tmp_path: Path) -> None:
    data = rows()
    for name in COLUMNS:  # an empty field of a CSV is no value
        data[name] = [value or None for value in data[name]]
    path = tmp_path / f"a.{form}"
    if form == "parquet":
        pq.write_table(pa.table(data), path)
    elif form == "csv":
        quoted = [
            ",".join(
                '"' + str(data[name][i]) + '"' if data[name][i] is not None else "" for name in data
            )
            for i in range(N)
        ]
        path.write_text("\n".join([",".join(data), *quoted]) + "\n")
    else:
        each = (msgspec.json.encode({name: data[name][i] for name in data}) for i in range(N))
        path.write_bytes(b"".join(line + b"\n" for line in each))
    mapping = EventRows(RowMapping.of(reference))
    values = [
        event.value
        for batch in read_batches(path, mapping.mapping.reading, mapping.times)
        for event in mapping.events(batch)
    ]
    records = [FileRecord(i, 0, value) for i, value in enumerate(values)]
    assert counted(plan_of(reference), records, 100) == naive(data)


def test_while_a_reference_is_learned_the_same_combinations_have_sketches(
    reference: Reference,
) -> None:
    data = rows()
    plan = LearningPlan(model="m", learn=Learn(), segments=SEGMENTS, pane_ms=60_000)
    book = PlanBook()
    book.add(plan)
    reader = Summariser(Source("id", "t", 0, 1), book, NativeDecoder(book, max_ahead_ms=2**62))
    messages = packed(EventRows(RowMapping.of(reference)).events(data), "native")
    flushes = reader.add(list(records_of(messages)))
    flushes += [last] if (last := reader.flush_idle()) else []
    scopes = set()
    for flush in flushes:
        for _, value in flush.summaries:
            batch = decode_message(value)
            assert isinstance(batch, SummaryBatch)
            scopes |= {(entry.segment, entry.pane_ms) for entry in batch.entries}
    assert scopes == set(naive(data))


@pytest.mark.parametrize("poll", [7, 300])
def test_combinations_beyond_the_limit_are_counted_together(
    reference: Reference, poll: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first ones of a chunk in the order of the log have counts of their own."""
    monkeypatch.setattr(chunk_counts, "MAX_SEGMENTS", 3)
    data = rows()
    plan = plan_of(reference)
    messages = list(packed(EventRows(RowMapping.of(reference)).events(data), "native"))[:256]
    found = counted(plan, list(records_of(messages)), poll)
    known: dict[tuple[str, str], None] = {}
    wanted: Counter[str] = Counter()
    for i in range(256):
        pair = data["sex"][i], data["age"][i]
        if None in pair:
            continue
        if len(pair[1]) <= 200 and len(known) < 3:
            known[pair] = None
        wanted[scope_name(("sex", "age"), pair) if pair in known else "sex, age=__other__"] += 1
    of_pair: Counter[str] = Counter()
    for (scope, _), n in found.items():
        if segment_of(scope) == "sex, age":
            of_pair[scope] += n
    assert len(known) == 3
    assert of_pair == wanted


def test_a_plan_without_combinations_reads_what_it_names_and_no_more(reference: Reference) -> None:
    plain = Plan(model="m", reference=reference, segments=("age", "sex"))
    assert plain.segment_columns == plain.segments
    assert plan_of(reference).segment_columns == ("sex", "age", "region")
