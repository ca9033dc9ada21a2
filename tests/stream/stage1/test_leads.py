"""Clocks that lead and clocks that trail are told of, and the model is named."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest

from stream.contracts.alert_event import AlertEvent
from stream.contracts.summary_message import Source, SummaryBatch, decode_message
from stream.decode.native import NativeDecoder
from stream.decode.record import LOG_APPEND_TIME, FileRecord
from stream.plans.plan import PlanBook
from stream.stage1.summarise import Summariser
from stream.stage2.monitor import PartitionMonitor
from tests.stream.harness import make_plan, make_reference, reloaded

CREATE_TIME = 0
NOW = 1_772_366_400_000
SOURCE = Source("id", "predictions", 0, 1)


@pytest.fixture(scope="module")
def plans() -> PlanBook:
    """Two models on one topic; windows of `slow` hardly ever fill."""
    book = PlanBook()
    book.add(make_plan(reference=make_reference(), segments=()))
    book.add(make_plan(model="slow", segments=(), window_events=5_000, window_min_events=50))
    return book


def record(i: int, stamp: int, at_ms: int, kind: int, model: str = "fraud") -> FileRecord:
    event = {
        "model": {"name": model, "version": "1"}, "timestamp": at_ms / 1000, "features": {"x": 0.1},
    }  # fmt: skip
    return FileRecord(i, stamp, msgspec.json.encode(event), None, (), kind)


class Run:
    """Both stages over records, as a worker runs them; everything that was said."""

    def __init__(self, plans: PlanBook, records: Sequence[FileRecord], polls: int = 100) -> None:
        self.reader = Summariser(SOURCE, plans, NativeDecoder(plans))
        self.monitor = PartitionMonitor(plans)
        self.alerts: list[AlertEvent] = []
        self.ahead: dict[str, tuple[int, int]] = {}  # of the last chunk, by model
        self.offset = 0
        for at in range(0, len(records), polls):
            for flush in self.reader.add(records[at : at + polls]):
                self._apply(flush)
            if at % 700 == 0:
                self.monitor = reloaded(self.monitor, plans)
        if flush := self.reader.flush_idle():
            self._apply(flush)

    def _apply(self, flush: Any) -> None:
        for value in (*(value for _, value in flush.summaries), flush.progress):
            message = decode_message(value)
            if isinstance(message, SummaryBatch):
                self.ahead[message.model] = (message.ahead, message.ahead_max_ms)
            self.alerts += self.monitor.apply(self.offset, value, 0, plans_current=True)
            self.offset += 1

    def system(self) -> dict[str, set[str]]:
        """Signals of `system` episodes, by model."""
        found: dict[str, set[str]] = {}
        for alert in self.alerts:
            if alert.data.labels.kind == "system":
                of = found.setdefault(alert.data.labels.model, set())
                of |= {signal.test for signal in alert.data.signals}
        return found


def one_in_ten_ahead(n: int, kind: int, ahead_ms: int) -> Iterator[FileRecord]:
    """Ten events a second; every tenth host's clock is wrong, and so is what it stamps."""
    rng = random.Random(1)
    for i in range(n):
        now = NOW + 100 * i
        wrong = ahead_ms * (rng.random() < 0.1)
        stamp = now if kind == LOG_APPEND_TIME else now + wrong
        yield record(i, stamp, now + wrong - rng.randint(0, 300), kind)


@pytest.mark.parametrize("kind", [LOG_APPEND_TIME, CREATE_TIME])
def test_a_host_that_leads_is_told_of_and_makes_nobody_late(plans: PlanBook, kind: int) -> None:
    records = list(one_in_ten_ahead(3_000, kind, 20_000))
    run = Run(plans, records)
    wrong = sum(0.1 * i * 1000 + 10_000 < _at(r) - NOW for i, r in enumerate(records))
    count, most = run.ahead["fraud"]
    assert 0.8 * wrong <= count <= wrong
    # Under CreateTime it is said as of when it was certain: the agreed time has gone on meanwhile.
    assert (19_000 if kind == LOG_APPEND_TIME else 8_000) < most <= 20_000
    assert run.system() == {"fraud": {"clock_ahead"}}
    assert run.reader.stats.ahead == {"fraud": count}
    assert run.reader.stats.lead_ms == {"fraud": most}
    assert not run.reader.stats.late
    words = next(a for a in run.alerts if a.data.labels.kind == "system").data.annotations.summary
    assert "ahead of the clock, by up to" in words


def _at(record: FileRecord) -> float:
    assert record.value is not None
    return 1000 * msgspec.json.decode(record.value)["timestamp"]


@pytest.mark.parametrize("kind", [LOG_APPEND_TIME, CREATE_TIME])
@pytest.mark.parametrize("shape", ["even", "a minute's events in 2 s", "silences", "late by 4 s"])
def test_right_clocks_are_not_called_ahead(plans: PlanBook, kind: int, shape: str) -> None:
    rng = random.Random(2)
    now, records = NOW, []
    for i in range(3_000):
        if shape == "a minute's events in 2 s":
            now += 20 if i % 100 else 58_000
        elif shape == "silences":
            now += 100 if i % 250 else rng.randint(10_000, 300_000)
        else:
            now += 100
        delay = rng.randint(0, 4_000) if shape == "late by 4 s" else rng.randint(0, 50)
        stamp = now if kind == LOG_APPEND_TIME else now - delay
        records.append(record(i, stamp, now - delay, kind))
    run = Run(plans, records)
    assert not run.reader.stats.ahead
    assert run.system() == {}


@pytest.mark.parametrize("kind", [LOG_APPEND_TIME, CREATE_TIME])
def test_what_is_ahead_does_not_depend_on_polls(plans: PlanBook, kind: int) -> None:
    records = list(one_in_ten_ahead(1_200, kind, 30_000))
    assert len({tuple(Run(plans, records, n).ahead.items()) for n in (3, 100, 1_200)}) == 1


def two_models(n: int, trails: Any, on_time: float = 0.0) -> list[FileRecord]:
    """Four events a second each; the clock of the second one's host is wrong by `trails` ms."""
    rng = random.Random(3)
    records = []
    for i in range(n):
        now = NOW + 250 * i
        wrong = 0 if rng.random() < on_time else trails
        records.append(record(2 * i, now, now, LOG_APPEND_TIME))
        records.append(record(2 * i + 1, now, now - wrong, LOG_APPEND_TIME, "slow"))
    return records


@pytest.mark.parametrize("on_time", [0.0, 0.02])
@pytest.mark.parametrize("trails_ms", [40_000, 90_000, 7_200_000])
def test_a_model_that_is_late_altogether_is_named(
    plans: PlanBook, trails_ms: int, on_time: float
) -> None:
    """It never has a window, or one that hardly ever fills."""
    run = Run(plans, two_models(600, trails_ms, on_time))
    assert run.system() == {"slow": {"late_share"}}
    first = next(a for a in run.alerts if a.data.labels.kind == "system")
    assert first.data.labels.model == "slow"
    assert run.reader.stats.late["slow"] >= 500
    assert "fraud" not in run.reader.stats.late


def test_a_model_that_is_on_time_is_not(plans: PlanBook) -> None:
    assert Run(plans, two_models(600, 0)).system() == {}


def test_a_model_all_of_whose_events_are_refused_for_their_lead_is_named(plans: PlanBook) -> None:
    run = Run(plans, two_models(600, -90_000))
    assert run.reader.stats.rejected == {"too_far_ahead": 600}
    assert run.system() == {"slow": {"clock_ahead"}}
    assert run.ahead["slow"] == (600, 90_000)


def test_a_producer_a_year_ahead_holds_no_panes_open(plans: PlanBook) -> None:
    """Its records say the same as its events, so its own timestamps do not refuse it."""
    year = 365 * 86_400_000
    records = [
        record(i, at, at, CREATE_TIME)
        for i in range(2_000)
        for at in [NOW + 100 * i + (year if i % 10 == 3 else 0)]
    ]
    run = Run(plans, records)
    assert run.reader.stats.rejected["too_far_ahead"] >= 190
    assert run.reader.stats.events["fraud"] >= 1_800
    assert run.system() == {"fraud": {"clock_ahead"}}


def test_no_event_is_refused_for_a_silence(plans: PlanBook) -> None:
    """The agreed time stands still meanwhile, and a chunk may last ten minutes."""
    times = [NOW + 500 * i + (540_000 if i > 300 else 0) for i in range(400)]
    run = Run(plans, [record(i, at, at, CREATE_TIME) for i, at in enumerate(times)])
    assert run.reader.stats.events == {"fraud": 400}
    assert not run.reader.stats.rejected
    assert not run.reader.stats.late


def test_a_batch_far_ahead_is_refused_as_a_whole_and_its_events_are_told_of(
    plans: PlanBook,
) -> None:
    records = []
    for i in range(600):
        stamp = NOW + 100 * i + (86_400_000 if i % 10 == 3 else 0)
        rows = {"timestamp": [stamp / 1000] * 5, "features": {"x": [0.1] * 5}}
        event = {"model": {"name": "fraud", "version": "1"}, "columns": rows}
        records.append(FileRecord(i, stamp, msgspec.json.encode(event), None, (), CREATE_TIME))
    run = Run(plans, records)
    refused = run.reader.stats.rejected["too_far_ahead"]
    assert refused >= 50
    assert run.reader.stats.events == {"fraud": 5 * (600 - refused)}
    count, most = run.ahead["fraud"]
    assert count >= 5 * refused - 5
    assert 86_390_000 < most < 86_410_000
