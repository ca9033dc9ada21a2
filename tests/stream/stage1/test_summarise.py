"""Stage 1 against a slow twin that counts event by event in dictionaries."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import NumericBinning
from detectors.counting.sparse import decode_counts
from stream.contracts.summary_message import Source, decode_message
from stream.decode.native import NativeDecoder
from stream.decode.record import FileRecord
from stream.plans.plan import PlanBook
from stream.stage1 import chunk_counts as chunk_counts_module
from stream.stage1.summarise import CHUNK_RECORDS, CHUNK_SPAN_MS, Flush, Summariser
from tests.stream.harness import START_S, make_plan, make_reference

few = settings(derandomize=True, max_examples=40, deadline=None)
SOURCE = Source("id", "predictions", 0, 1)
CHUNK, SPAN_MS = 20, 60_000


@pytest.fixture(scope="module")
def reference():
    return make_reference()


@pytest.fixture(scope="module")
def plans(reference) -> PlanBook:
    """Two plans in turn: another pane, another lateness, from the middle of the streams on."""
    book = PlanBook()
    book.add(make_plan(reference=reference, segments=("region", ("region", "kind"), "kind")))
    switched = make_plan(reference=reference, pane_ms=20_000, lateness_ms=2_000)
    book.add(switched, (START_S + 60) * 1000)
    return book


def make_log(seed: int, n: int = 150) -> list[FileRecord]:
    rng = random.Random(seed)
    log = []
    stamp = START_S * 1000
    for offset in range(n):
        stamp += rng.choice((0, 500, 1_000, 1_500))
        if rng.random() < 0.02:
            stamp += SPAN_MS  # a silence that ends the chunk
        at = stamp - rng.choice((0, 0, 0, 3_000, 12_000, 40_000, -30_000))
        event: dict[str, Any] = {
            "model": {"name": "fraud", "version": rng.choice(("1", "2"))},
            "timestamp": max(0, at) / 1000,
            "features": {
                "x": rng.choice((rng.gauss(0, 1), None, "text")),
                "z": rng.random(),
                "c": rng.choice(("a", "b", "never seen")),
            },
            "prediction": {"score": rng.random()},
            "segments": {"region": rng.choice(("eu", "us")), "kind": rng.choice(("k", None))},
        }
        if rng.random() < 0.05:
            event["model"]["name"] = "unknown"
        value = b"{" if rng.random() < 0.05 else msgspec.json.encode(event)
        log.append(FileRecord(offset * 3, stamp, value))  # offsets have gaps
    return log


class Twin:
    """One event after the other; the same rules, written as plainly as can be."""

    def __init__(self, plans: PlanBook, log: list[FileRecord]) -> None:
        self.plans = plans
        self.chunks: list[list[FileRecord]] = []
        for record in log:
            open_ = self.chunks[-1] if self.chunks else None
            if not open_ or len(open_) == CHUNK or record.timestamp > open_[0].timestamp + SPAN_MS:
                self.chunks.append(open_ := [])
            open_.append(record)

    def chunk_of(self, offset: int) -> list[FileRecord]:
        return next(c for c in self.chunks if c[0].offset == offset)

    def count(self, chunk: list[FileRecord], through: int):
        """Counts by (version, plan, segment, pane), late by (version, plan), newest, rejects."""
        counts: dict[tuple, Counter] = {}
        late: Counter = Counter()
        newest, rejects = -(2**62), 0
        for record in chunk:
            if record.offset > through:
                break
            try:
                event = msgspec.json.decode(record.value)
            except msgspec.DecodeError:
                event = {"model": {"name": "unknown"}}
            if event["model"]["name"] == "unknown":
                rejects += 1
                continue
            version, ms = event["model"]["version"], round(event["timestamp"] * 1000)
            newest = max(newest, min(ms, record.timestamp))
            for since, plan in reversed(self.plans.timeline("fraud", version)):
                if ms - ms % plan.pane_ms >= since:
                    break
            pane = ms - ms % plan.pane_ms
            if pane + plan.pane_ms <= newest - plan.lateness_ms:
                late[version, plan.short_hash] += 1
                continue
            scopes = [""]
            for segment in plan.segments:
                names = (segment,) if isinstance(segment, str) else segment
                values = [event["segments"].get(name) for name in names]
                if None not in values:
                    scopes.append(", ".join(map("=".join, zip(names, values, strict=True))))
            for scope in scopes:
                row = counts.setdefault((version, plan.short_hash, scope, pane), Counter())
                row[0] += 1
                for i, signal in enumerate(plan.monitored):
                    part = "prediction" if signal.role == "score" else "features"
                    row[
                        int(plan.layout.start[i]) + bin_of(signal.binning, event[part][signal.name])
                    ] += 1
        return counts, late, newest, rejects


def bin_of(binning: Any, value: Any) -> int:
    if value is None:
        return binning.missing
    if not isinstance(binning, NumericBinning):
        return binning.code.get(value, binning.unseen)
    if isinstance(value, str):
        return binning.invalid
    return int(binning.bin(np.array([value]))[0])


def polls(rng: random.Random, log: list[FileRecord]):
    at = 0
    while at < len(log):
        size = rng.choice((1, 2, 7, 30, 200))
        yield log[at : at + size]
        at += size


def run(plans: PlanBook, log: list[FileRecord], rng: random.Random) -> list[Flush]:
    reader = Summariser(
        SOURCE, plans, NativeDecoder(plans), chunk_records=CHUNK, chunk_span_ms=SPAN_MS
    )
    flushes = []
    for poll in polls(rng, log):
        flushes += reader.add(poll)
        if rng.random() < 0.1 and (flush := reader.flush_idle()):
            flushes.append(flush)
    if last := reader.flush_idle():
        flushes.append(last)
    assert reader.flush_idle() is None
    assert reader.stats.records == len(log)
    return flushes


@given(st.integers(0, 2**32))
@few
def test_every_flush_says_what_the_twin_counts(plans, seed):
    log = make_log(seed)
    twin = Twin(plans, log)
    held: dict[tuple, dict[int, int]] = {}
    late: dict[tuple, int] = {}
    rejects: list[int] = []
    committed = []
    flushes = run(plans, log, random.Random(seed + 1))
    for flush in flushes:
        progress = decode_message(flush.progress)
        chunk = twin.chunk_of(progress.chunk)
        counts, told_late, newest, _ = twin.count(chunk, progress.through)
        for key, value in flush.summaries:
            batch = decode_message(value)
            assert key == f"fraud/{batch.version}".encode()
            assert (batch.chunk, batch.through) == (progress.chunk, progress.through)
            about = (batch.version, batch.plan)
            late[batch.chunk, *about] = batch.late
            for entry in batch.entries:
                row = decode_counts(entry.counts, 1_000)
                got = {int(i): int(row[i]) for i in np.flatnonzero(row)}
                assert got == counts[(*about, entry.segment, entry.pane_ms)]
                held[(batch.chunk, *about, entry.segment, entry.pane_ms)] = got
        # What is complete, and at a chunk's end everything, was said by this flush or before.
        for (*about, segment, pane), row in counts.items():
            (plan,) = (p for _, p in plans if p.short_hash == about[1])
            if flush.commit is not None or pane + plan.pane_ms <= newest - plan.lateness_ms:
                assert held[(progress.chunk, *about, segment, pane)] == row
        assert {k[1:]: n for k, n in late.items() if k[0] == progress.chunk and n} == told_late
        assert progress.max_time_ms == newest
        rejects += [record.offset for record, _ in flush.rejects]
        if flush.commit is not None:
            assert progress.through == chunk[-1].offset
            committed.append(flush.commit)
    # Only chunk ends are safe, and they are where the next chunk begins, gaps aside.
    assert committed == [c[-1].offset + 1 for c in twin.chunks][: len(committed)]
    assert len(committed) >= len(twin.chunks) - 1
    assert len(rejects) == sum(twin.count(c, 10**9)[3] for c in twin.chunks)
    assert rejects == sorted(set(rejects))


def final(flushes: list[Flush]) -> dict[tuple, bytes]:
    """The last word on every (chunk, subject, plan, scope, pane), and late by chunk."""
    words: dict[tuple, Any] = {}
    for flush in flushes:
        for key, value in flush.summaries:
            batch = decode_message(value)
            words[batch.chunk, key, batch.plan] = batch.late
            for entry in batch.entries:
                words[batch.chunk, key, batch.plan, entry.segment, entry.pane_ms] = entry.counts
        progress = decode_message(flush.progress)
        words[progress.chunk] = (progress.through, progress.max_time_ms)
    return words


@given(st.integers(0, 2**32))
@few
def test_polls_leave_no_trace(plans, seed):
    log = make_log(seed)
    outcomes = [final(run(plans, log, random.Random(seed + i))) for i in range(3)]
    assert outcomes[0] == outcomes[1] == outcomes[2]


@given(st.integers(0, 2**32), st.data())
@few
def test_a_reader_that_begins_at_a_committed_offset_says_the_same(plans, seed, data):
    log = make_log(seed)
    whole = run(plans, log, random.Random(seed))
    commits = [0, *(f.commit for f in whole if f.commit is not None)]
    start = data.draw(st.sampled_from(commits))
    again = run(plans, [r for r in log if r.offset >= start], random.Random(seed + 1))
    expected = {
        k: v for k, v in final(whole).items() if (k[0] if isinstance(k, tuple) else k) >= start
    }
    assert final(again) == expected


def record(offset: int, at_s: float, *, stamp_s: float | None = None, **members: Any) -> FileRecord:
    event = {
        "model": {"name": "fraud", "version": "1"},
        "timestamp": at_s,
        "features": {"x": 1.0},
        **members,
    }
    stamp = int(1000 * (at_s if stamp_s is None else stamp_s))
    return FileRecord(offset, stamp, msgspec.json.encode(event))


def reader_of(plan, **kwargs: Any) -> Summariser:
    book = PlanBook()
    book.add(plan)
    return Summariser(SOURCE, book, NativeDecoder(book), **kwargs)


def entries_of(flush: Flush) -> dict[tuple[str, int], int]:
    return {
        (e.segment, e.pane_ms): int(decode_counts(e.counts, 1_000)[0])
        for _, value in flush.summaries
        for e in decode_message(value).entries
    }


def test_the_constants_of_the_protocol():
    """Changing them makes readers of two versions cut different chunks."""
    assert (CHUNK_RECORDS, CHUNK_SPAN_MS) == (16_384, 600_000)


def test_a_chunk_ends_before_a_record_that_is_later_by_more_than_its_span(reference):
    reader = reader_of(make_plan(reference=reference))
    (first,) = reader.add([record(7, 0), record(9, 600), record(12, 600.001)])
    assert first.commit == 10
    assert decode_message(first.progress).through == 9
    second = reader.flush_idle()
    assert second is not None
    assert decode_message(second.progress).chunk == 12


def test_records_whose_own_times_go_back_do_not_end_a_chunk(reference):
    reader = reader_of(make_plan(reference=reference))
    stamps = (5_000, 100, 5_600, 0)
    flushes = reader.add([record(i, 100, stamp_s=s) for i, s in enumerate(stamps)])
    assert [f.commit for f in flushes] == [None]


def test_a_chunk_of_nothing_but_rejects_moves_on(reference):
    reader = reader_of(make_plan(reference=reference), chunk_records=4)
    (flush,) = reader.add([FileRecord(i, 0, b"{") for i in range(5)])
    assert flush.commit == 4
    assert flush.summaries == []
    assert [r.offset for r, _ in flush.rejects] == [0, 1, 2, 3]
    last = reader.flush_idle()
    assert last is not None
    assert [r.offset for r, _ in last.rejects] == [4]
    assert reader.flush_idle() is None
    assert reader.stats.rejected == {"undecodable": 5}


def test_old_events_cost_no_more_memory_than_their_open_panes(reference):
    """A backfill: every event has a pane of its own."""
    reader = reader_of(make_plan(reference=reference))
    for i in range(0, 3_000, 10):
        reader.add([record(j, 60.0 * j, stamp_s=10**6) for j in range(i, i + 10)])
    ((_, counts),) = reader._chunk_counts.items()
    assert len(counts) <= 2
    assert len(counts._changed) <= 32
    assert reader.stats.events == {"fraud": 3_000}
    assert reader.stats.late == {}


def test_rows_that_are_used_again_begin_at_nothing(reference):
    reader = reader_of(make_plan(reference=reference))
    total: dict[tuple[str, int], int] = {}
    for i in range(50):
        for flush in reader.add([record(3 * i + j, 10.0 * i) for j in range(3)]):
            total |= entries_of(flush)
    assert total == {("", 10_000 * i): 3 for i in range(48)}


@pytest.mark.parametrize("sizes", [(60,), (1,) * 60, (7, 3, 50)])
def test_which_segments_are_beyond_the_limit_does_not_depend_on_polls(
    reference, monkeypatch, sizes
):
    monkeypatch.setattr(chunk_counts_module, "MAX_SEGMENTS", 5)
    reader = reader_of(make_plan(reference=reference, segments=("a", "b")))
    log = [
        record(i, 100, segments={"a": f"v{i % 9}", "b": "x" * 300 if i % 2 else f"w{i % 6}"})
        for i in range(60)
    ]
    for size in sizes:
        reader.add(log[:size])
        log = log[size:]
    flush = reader.flush_idle()
    assert flush is not None
    counted = {segment: n for (segment, _), n in entries_of(flush).items()}
    assert counted == {
        "": 60,
        **{f"a=v{i}": len(range(i, 60, 9)) for i in range(5)},
        "a=__other__": sum(len(range(i, 60, 9)) for i in range(5, 9)),
        **{f"b=w{i}": 10 for i in (0, 2, 4)},
        "b=__other__": 30,
    }
    assert reader.stats.segments_folded == counted["a=__other__"] + counted["b=__other__"]


def test_a_version_that_fits_no_key_is_refused(reference):
    reader = reader_of(make_plan(reference=reference))
    (flush,) = reader.add(
        [
            record(0, 100),
            record(1, 100, model={"name": "fraud", "version": "v" * 201}),
            record(2, 100, model={"name": "fraud", "version": "v" * 200}),
        ]
    )
    ((refused, reject),) = flush.rejects
    assert (refused.offset, reject.reason) == (1, "wrong_type")
    assert "200 characters - at $.model.version" in reject.error
    last = reader.flush_idle()
    assert last is not None
    assert {key[:9] for key, _ in last.summaries} == {b"fraud/1", b"fraud/vvv"}


def test_many_scopes_are_cut_into_messages_that_kafka_takes(reference, monkeypatch):
    monkeypatch.setattr("stream.stage1.summarise.MAX_BATCH_BYTES", 2_000)
    reader = reader_of(make_plan(reference=reference))
    reader.add([record(i, 100, segments={"region": f"r{i}"}) for i in range(300)])
    flush = reader.flush_idle()
    assert flush is not None
    assert len(flush.summaries) > 3
    assert max(len(value) for _, value in flush.summaries) < 2_500
    assert len(entries_of(flush)) == 301


def test_late_events_alone_are_told_too(reference):
    reader = reader_of(make_plan(reference=reference))
    reader.add([record(0, 1_000)])
    reader.flush_idle()
    assert reader.add([record(1, 100, stamp_s=1_000)]) == []
    flush = reader.flush_idle()
    assert flush is not None
    batch = decode_message(flush.summaries[0][1])
    assert (batch.late, batch.entries) == (1, [])
