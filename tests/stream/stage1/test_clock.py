"""The watermark of a chunk: a broker's time is exact, elsewhere the records have to agree."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.decode.record import LOG_APPEND_TIME, stamps_of
from stream.stage1.quorum import NEVER, Quorum
from stream.stage1.watermark import LEAD_MS, ChunkClock
from tests.oracles.quorum import agreed

CREATE_TIME = 0
NOW = 1_772_366_400_000
few = settings(derandomize=True, max_examples=60, deadline=None)


@dataclass
class Rec:
    timestamp: int
    timestamp_type: int = LOG_APPEND_TIME
    offset: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def record_times(seed: int, n: int) -> list[int]:
    """Rates from one in 50 s to 5,000 a second, silences, delays, one clock in seven wrong."""
    rng = random.Random(seed)
    rates = (0.02, 0.3, 1, 3, 30, 300, 5_000)
    rate, now, times = rng.choice(rates), NOW, []
    for _ in range(n):
        if rng.random() < 0.01:
            rate = rng.choice(rates)
        if rng.random() < 0.003:
            now += rng.choice((100_000, 3_600_000))
        now += int(rng.expovariate(rate) * 1000)
        wrong = rng.choice((20_000, 3_600_000, -20_000, -7_200_000))
        times.append(now - rng.randint(0, 300) + (wrong if rng.random() < 0.15 else 0))
    return times


@given(st.integers(0, 2**32), st.integers(1, 3_000))
@few
def test_the_kernel_agrees_with_its_slow_twin(seed: int, n: int) -> None:
    times = record_times(seed, n)
    rng = random.Random(seed)
    quorum, got, at = Quorum(), [], 0
    while at < n:
        size = rng.choice((1, 2, 50, 700))
        got += quorum.take(np.array(times[at : at + size], np.int64))[0].tolist()
        at += size
    assert got == agreed(times)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=60))
@few
def test_no_record_time_however_absurd_breaks_it(times: list[int]) -> None:
    told = Quorum().take(np.array(times, np.int64))[0]
    assert np.all(np.diff(told) >= 0)
    assert not len(told) or told.max() <= 2**53


def marks(records: list[Rec], time_ms: list[int], polls: random.Random | None = None) -> list[int]:
    """The watermark after each record, of one event each."""
    clock, got, at = ChunkClock(), [], 0
    while at < len(records):
        size = polls.choice((1, 2, 7, 300)) if polls else len(records)
        part = records[at : at + size]
        times = np.array(time_ms[at : at + size], np.int64)
        which = np.arange(len(part))
        reading = clock.read(part, stamps_of(part), times, which)
        got += clock.advance(reading, times, which).tolist()
        at += size
    return got


@given(st.integers(0, 2**32))
@few
def test_a_broker_s_time_bounds_every_event_s(seed: int) -> None:
    """Law 8: what is not later than the lateness is not late, whatever all others send."""
    rng = random.Random(seed)
    now, records, times = NOW, [], []
    for _ in range(300):
        now += rng.randint(0, 400)
        records.append(Rec(now))
        times.append(now + rng.randint(-200_000, 4_000_000))
    got = marks(records, times, rng)
    expected = np.maximum.accumulate(np.minimum(times, [r.timestamp for r in records]))
    assert got == expected.tolist()
    assert all(mark <= r.timestamp for mark, r in zip(got, records, strict=True))


def by_hand(records: list[Rec], times: list[int]) -> list[int]:
    """The definition, one event at a time."""
    own = [r.timestamp if r.timestamp > 0 else t for r, t in zip(records, times, strict=True)]
    votes = [o for o, r in zip(own, records, strict=True) if _votes(r)]
    told = iter(agreed(votes))
    now = reached = newest = NEVER
    got = []
    for record, own_ms, time in zip(records, own, times, strict=True):
        now = next(told) if _votes(record) else now
        reached = max(reached, min(time, now if _votes(record) else own_ms))
        newest = max(newest, min(time, own_ms))
        got.append(NEVER if reached == NEVER else min(newest, reached + LEAD_MS))
    return got


def _votes(record: Rec) -> bool:
    return record.timestamp <= 0 or record.timestamp_type != LOG_APPEND_TIME


@pytest.mark.parametrize("kinds", ["create", "none", "mixed"])
def test_the_watermark_is_its_definition_however_it_is_polled(kinds: str) -> None:
    for seed in range(12):
        rng = random.Random(seed)
        stamps = record_times(seed, 600)
        times = [s + rng.choice((0, -50, -9_000, 30_000)) for s in stamps]
        records = []
        for stamp in stamps:
            kind = rng.choice(("create", "none", "broker")) if kinds == "mixed" else kinds
            records.append(
                Rec(0 if kind == "none" else stamp, LOG_APPEND_TIME if kind == "broker" else 0)
            )
        assert marks(records, times, rng) == by_hand(records, times)


@pytest.mark.parametrize("rate", [1, 10, 100, 2_000])
@pytest.mark.parametrize("ahead_s", [1, 20, 59, 3_600])
def test_one_host_in_ten_leads_by_no_more_than_the_lead(rate: int, ahead_s: int) -> None:
    rng = random.Random(rate)
    now, records, honest = float(NOW), [], []
    for _ in range(6_000):
        now += rng.expovariate(rate) * 1000
        wrong = rng.random() < 0.1
        records.append(Rec(int(now) + 1000 * ahead_s * wrong, CREATE_TIME))
        honest.append(now)
    got = marks(records, [r.timestamp for r in records])
    assert all(mark <= at + LEAD_MS for mark, at in zip(got, honest, strict=True))
    # And it does move: all but the last few records or seconds are behind it.
    assert got[-1] >= honest[-1] - max(4_000, 10_000 / rate)


def test_half_of_the_hosts_ahead_do_move_it() -> None:
    """Beside the test above: the promise is for one host in ten."""
    now, records = NOW, []
    for i in range(6_000):
        now += 10
        records.append(Rec(now + 20_000 * (i % 10 != 0), CREATE_TIME))
    assert marks(records, [r.timestamp for r in records])[-1] > now + LEAD_MS


def test_a_file_with_one_event_of_2100_goes_on_at_its_own_time() -> None:
    year_2100 = 4_102_444_800_000
    times = [NOW + 60_000 * i for i in range(200)]
    times[50] = year_2100
    got = marks([Rec(0) for _ in times], times)
    assert max(got) < year_2100 - 10**12
    assert got[-1] >= times[-1] - 10 * 60_000


def test_a_chunk_is_not_begun_by_the_batch_of_one_host() -> None:
    wrong = [Rec(NOW + 3_000_000 + i, CREATE_TIME) for i in range(40)]
    right = [Rec(NOW + 20 * i, CREATE_TIME) for i in range(1_500)]
    records = [*wrong, *right]
    got = marks(records, [r.timestamp for r in records])
    assert got[39] == NEVER
    assert NEVER < got[-1] <= right[-1].timestamp + LEAD_MS


def test_a_record_of_a_format_without_times_has_none() -> None:
    assert stamps_of([Rec(None), Rec(5)]).tolist() == [-1, 5]  # type: ignore[arg-type]
