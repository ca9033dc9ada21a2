"""Rule 4 and law 8 on logs made to break them, and the rule broken on purpose.

In every log the honest events are those of `churn`; whatever is wrong is `fraud`'s. None of the
honest is later than the lateness.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from stream.contracts.summary_message import Source
from stream.decode.native import NativeDecoder
from stream.decode.record import LOG_APPEND_TIME
from stream.plans.plan import PlanBook
from stream.stage1 import watermark as clock_module
from stream.stage1.summarise import Summariser
from stream.stage1.watermark import ChunkClock, Reading
from stream.stage2.monitor import PartitionMonitor
from tests.oracles.quorum import agreed
from tests.simulation.scenario import LATENESS_S, Plans
from tests.simulation.world import CREATE_TIME, START_S, Rec

START_MS = START_S * 1000
SOURCE = Source("id", "predictions", 0, 1)
#: (honest, event time, record time), in ms after the start
Log = list[tuple[bool, int, int]]


@pytest.fixture(scope="module")
def plans() -> PlanBook:
    return Plans(window_events=10**9).states[0]


def decided(
    plans: PlanBook, log: Log, kind: int, *, chunk: int = 200, polls: int = 7, another: bool = False
) -> tuple[dict[str, int], dict[str, int]]:
    """Late events of each model, and those counted; with `another`, a reader for every chunk."""
    decoder = NativeDecoder(plans)
    monitor, records = PartitionMonitor(plans), []
    for offset, (honest, at, stamp) in enumerate(log):
        event = {
            "model": {"name": "churn" if honest else "fraud", "version": "1"},
            "timestamp": (START_MS + at) / 1000,
            "features": {"x": 0.5, "c": "a"},
            "prediction_id": f"{offset}",  # else those of equal values are counted once
        }
        value = msgspec.json.encode(event)
        records.append(Rec(offset, START_MS + stamp, None, value, (), kind))
    reader = Summariser(SOURCE, plans, decoder, chunk_records=chunk)
    offset = at = 0
    while at < len(records):
        end = at + polls
        flushes = reader.add(records[at:end])
        if end >= len(records) and (last := reader.flush_idle()):
            flushes.append(last)
        at = min(end, len(records))
        for flush in flushes:
            for value in (*(value for _, value in flush.summaries), flush.progress):
                monitor.apply(offset, value, 0, plans_current=True)
                offset += 1
            if another and flush.commit is not None:
                reader = Summariser(SOURCE, plans, decoder, chunk_records=chunk)
                at = flush.commit
                break
    monitor.seal_all()
    assert monitor.refused.get("shrunk", 0) == 0
    held = {subject.model: of for subject, of in monitor.subjects.items()}
    counted = {
        model: int(of.detection.windows.filling[""].counts[0])
        for model, of in held.items()
        if of.detection is not None and of.detection.windows.filling
    }
    return {model: of.late_total for model, of in held.items()}, counted


def none_is_late(plans: PlanBook, log: Log, kind: int, **more: Any) -> bool:
    late, counted = decided(plans, log, kind, **more)
    return late["churn"] == 0 and counted["churn"] == sum(honest for honest, _, _ in log)


# ---- logs


def any_times(seed: int) -> Log:
    """Nine in ten say what they like, up to what `max_ahead` lets pass."""
    rng, now, log = random.Random(seed), 0, []
    for _ in range(1_500):
        now += rng.randint(0, 400)
        fair = rng.random() < 0.1
        at = (
            now - rng.randint(0, LATENESS_S * 1000) if fair else now + rng.randint(-200_000, 55_000)
        )
        log.append((fair, max(-START_MS + 1, at), now))
    return log


def many_ahead(seed: int, honest_share: float, ahead_ms: int) -> Log:
    """Hosts or a model ahead of the broker, however many and by whatever."""
    rng, now, log = random.Random(seed), 0, []
    while sum(honest for honest, _, _ in log) < 60:
        now += rng.randint(0, 40)
        honest = rng.random() < honest_share
        sent = now - rng.randint(0, 1_500)
        log.append((honest, sent + (0 if honest else ahead_ms), now))
    return log


def one_in_ten(seed: int, ahead_ms: int, step_ms: int, *, by_producer: bool) -> Log:
    rng, log = random.Random(seed), []
    for i in range(1_200):
        wrong = rng.random() < 0.1
        sent = i * step_ms - rng.randint(0, 1_500)
        at = sent + ahead_ms * wrong
        log.append((not wrong, at, at if by_producer else i * step_ms))
    return log


def begun_by_a_wrong_host(_: int = 0) -> Log:
    """A batch of one host, which is 50 minutes ahead, is the first of a chunk."""
    wrong = [(False, 3_000_000 + i, 3_000_000 + i) for i in range(40)]
    return wrong + [(True, i * 20, i * 20) for i in range(1_400)]


def far_steps(_: int = 0) -> Log:
    """Six wrong records in a row, 40 minutes ahead, amid one a second."""
    log = []
    for i in range(900):
        wrong = 100 <= i % 300 < 106
        at = i * 1_000 + 2_400_000 * wrong
        log.append((not wrong, at, at))
    return log


def late_by_little(seed: int) -> Log:
    """Many that are late by little, in chunks that hardly begin."""
    rng = random.Random(seed)
    return [
        (True, k * 1_000 - rng.choice((0, 0, 0, 9_000, 14_000, 19_000)), k * 1_000)
        for k in range(600)
    ]


# ---- laws: each says whether it is kept


def law_8(plans: PlanBook) -> bool:
    """Under LogAppendTime no honest event is late, whatever all others send."""
    logs = [any_times(1), one_in_ten(2, 20_000, 100, by_producer=False)]
    return all(none_is_late(plans, log, LOG_APPEND_TIME) for log in logs)


def one_clock_moves_nothing(plans: PlanBook) -> bool:
    """Under CreateTime none is late either for one host in ten."""
    logs = [
        one_in_ten(3, ms, step, by_producer=True)
        for ms, step in ((20_000, 50), (59_000, 1_000), (3_600_000, 50))
    ]
    return all(none_is_late(plans, log, CREATE_TIME, chunk=600) for log in logs)


def a_wrong_host_begins_no_chunk(plans: PlanBook) -> bool:
    return none_is_late(plans, begun_by_a_wrong_host(), CREATE_TIME, chunk=1_500)


def far_steps_take_evidence(plans: PlanBook) -> bool:
    return none_is_late(plans, far_steps(), CREATE_TIME, chunk=1_000)


def every_chunk_may_be_another_reader_s(plans: PlanBook) -> bool:
    return all(
        decided(plans, late_by_little(seed), kind, chunk=20)
        == decided(plans, late_by_little(seed), kind, chunk=20, another=True)
        for seed in range(3)
        for kind in (LOG_APPEND_TIME, CREATE_TIME)
    )


def polls_leave_no_trace(plans: PlanBook) -> bool:
    logs = [(late_by_little(5), LOG_APPEND_TIME), (one_in_ten(6, 20_000, 50, by_producer=True), 0)]
    return all(
        decided(plans, log, kind, chunk=300, polls=1)
        == decided(plans, log, kind, chunk=300, polls=140)
        for log, kind in logs
    )


def nothing_is_announced_that_was_not_judged(plans: PlanBook) -> bool:
    """What a chunk says of itself makes nobody of the next late."""
    log = one_in_ten(7, 20_000, 200, by_producer=True)
    return none_is_late(plans, log, CREATE_TIME, chunk=60)


def late_is_found(plans: PlanBook) -> bool:
    """Beside the laws of silence: what comes after its pane is over is late."""
    late, counted = decided(plans, late_by_little(8), LOG_APPEND_TIME)
    return late["churn"] > 50 and late["churn"] + counted["churn"] == 600


LAWS: list[Callable[[PlanBook], bool]] = [
    law_8, one_clock_moves_nothing, a_wrong_host_begins_no_chunk, far_steps_take_evidence,
    every_chunk_may_be_another_reader_s, polls_leave_no_trace,
    nothing_is_announced_that_was_not_judged, late_is_found,
]  # fmt: skip


@pytest.mark.parametrize("ahead_s", [5, 59, 3_600])
@pytest.mark.parametrize("honest_share", [0.9, 0.5, 1 / 101], ids=["a host", "half", "100 times"])
def test_whoever_leads_a_broker_s_time_makes_no_honest_event_late(
    plans: PlanBook, honest_share: float, ahead_s: int
) -> None:
    log = many_ahead(ahead_s, honest_share, ahead_s * 1_000)
    assert none_is_late(plans, log, LOG_APPEND_TIME, chunk=2_000, polls=100)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__.replace("_", " "))
def test_the_rule_keeps(plans: PlanBook, law: Callable[[PlanBook], bool]) -> None:
    assert law(plans)


# ---- the rule broken


def the_clock_is_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    read = ChunkClock.read

    def broken(self, *args):
        reading = read(self, *args)
        never = np.full_like(reading.own, 2**61)
        return reading._replace(own=never, clock=never)

    patch.setattr(ChunkClock, "read", broken)
    patch.setattr(Reading, "beyond", lambda *_: None)


def a_producer_s_time_is_taken_for_the_broker_s(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(clock_module, "_TYPE", lambda record: LOG_APPEND_TIME)


def the_agreed_time_is_kept_over_chunks(patch: pytest.MonkeyPatch) -> None:
    begin = Summariser._open

    def broken(self, *args):
        held = getattr(self, "_clock", None)
        begin(self, *args)
        if held is not None:
            self._clock = held

    patch.setattr(Summariser, "_open", broken)


def more_is_announced_than_was_judged(patch: pytest.MonkeyPatch) -> None:
    flush = Summariser._flush

    def broken(self, **how):
        judged, self._clock.mark_ms = self._clock.mark_ms, self._clock.newest_ms
        try:
            return flush(self, **how)
        finally:
            self._clock.mark_ms = judged

    patch.setattr(Summariser, "_flush", broken)


def it_is_judged_once_a_poll(patch: pytest.MonkeyPatch) -> None:
    advance = ChunkClock.advance

    def broken(self, *args):
        mark = advance(self, *args)
        return np.full_like(mark, self.mark_ms)

    patch.setattr(ChunkClock, "advance", broken)


def _with(patch: pytest.MonkeyPatch, **rule: int) -> None:
    """A quorum of other numbers: the slow twin, since kernels are compiled."""

    class Slow:
        def __init__(self) -> None:
            self.times: list[int] = []

        def take(self, times):
            self.times += times.tolist()
            told = agreed(self.times, **rule)[-len(times) :]
            return np.array(told, np.int64), np.full(len(times), 1_024)

    patch.setattr(clock_module, "Quorum", Slow)


def a_chunk_begins_at_once(patch: pytest.MonkeyPatch) -> None:
    _with(patch, begin=6, begin_spread_ms=0)


def far_is_as_near(patch: pytest.MonkeyPatch) -> None:
    _with(patch, sure_of_far=6)


BROKEN: list[Callable[[pytest.MonkeyPatch], None]] = [
    the_clock_is_not_looked_at, a_producer_s_time_is_taken_for_the_broker_s,
    the_agreed_time_is_kept_over_chunks, more_is_announced_than_was_judged,
    it_is_judged_once_a_poll, a_chunk_begins_at_once, far_is_as_near,
]  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__.replace("_", " "))
def test_a_broken_rule_is_found_out(
    plans: PlanBook, broken: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    assert not all(law(plans) for law in LAWS)


def test_the_slow_twin_with_its_own_numbers_keeps_the_laws_too(
    plans: PlanBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it is the numbers that are found out above."""
    _with(monkeypatch)
    assert a_wrong_host_begins_no_chunk(plans)
    assert far_steps_take_evidence(plans)
