"""What share of the events came late, and when: as a naive count of the records has it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import pytest

from stream.contracts.alert_event import AlertEvent, parse_time
from stream.contracts.summary_message import Source
from stream.decode.native import NativeDecoder
from stream.decode.record import FileRecord
from stream.plans.plan import Plan, PlanBook
from stream.replay import Replay
from stream.replay.blocks import PaneBlocks
from stream.replay.replay import BATCH_RECORDS
from stream.stage1.summarise import CHUNK_RECORDS, Summariser
from stream.stage2.health import LATE_SHARE_LIMIT
from stream.stage2.monitor import PartitionMonitor
from tests.oracles.quorum import agreed
from tests.stream.harness import START_S, make_plan, make_reference

STEP_MS, N = 2_000, CHUNK_RECORDS + 3_000
BY_BROKER = 1
SOURCE = Source("id", "predictions", 0, 1)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(
        reference=make_reference(),
        segments=(),
        pane_ms=60_000,
        window_events=300,
        window_min_events=300,
    )


def records(late: Callable[[int], float], *, stamped: bool = False) -> list[FileRecord]:
    """An event in two seconds; the i-th is an hour old with a chance of `late(i)`."""
    rng = random.Random(7)
    made = []
    for i in range(N):
        now_ms = START_S * 1_000 + STEP_MS * i
        at_ms = now_ms - (3_600_000 if rng.random() < late(i) else 0)
        event = {
            "model": {"name": "fraud", "version": "1"},
            "timestamp": at_ms / 1_000,
            "features": {"x": rng.gauss(0.0, 1.0)},
        }
        made.append(
            FileRecord(i, now_ms * stamped, msgspec.json.encode(event), None, (), BY_BROKER)
        )
    return made


def burst(i: int) -> float:
    """A third of the events of a while, far from any block's beginning."""
    return 0.3 * (6_000 <= i < 7_000)


def two_bursts(i: int) -> float:
    """About the end of a chunk too, where stage 2 says what is late."""
    return 0.3 * (1_000 <= i < 1_100) + 0.1 * (CHUNK_RECORDS - 200 <= i < CHUNK_RECORDS + 200)


def trickle(i: int) -> float:
    return 0.03


class Said(NamedTuple):
    """A share of late events, of the window that ended then."""

    end_ms: int
    share: float


def replayed(plan: Plan, made: list[FileRecord]) -> tuple[list[Said], list[Said], int]:
    """What `replay` said of late events, what it was to say by a naive count, and how many."""
    ends: list[tuple[int, int]] = []
    book = PlanBook()
    book.add(plan)
    replay = Replay(
        book, on_window=lambda _, window, __: ends.append((window.end_ms, window.events))
    )
    said = told_of(list(replay.run(iter(made))))
    return said, naive(plan, made, ends), replay.monitor.subjects["fraud", "1"].late_total


def told_of(alerts: list[AlertEvent]) -> list[Said]:
    """By the alerts that have a new value."""
    said: list[Said] = []
    for alert in alerts:
        for signal in alert.data.signals:
            if alert.data.labels.kind == "system" and alert.data.status == "firing":
                one = Said(parse_time(alert.time), signal.value)
                if not said or said[-1].share != one.share:
                    said.append(one)
    return said


def naive(plan: Plan, made: list[FileRecord], windows: list[tuple[int, int]]) -> list[Said]:
    """A record at a time: late if its pane has ended; told of when the next window's panes have."""
    times = [round(1_000 * msgspec.json.decode(one.value or b"")["timestamp"]) for one in made]
    found, waiting, left = [], 0, iter(windows)
    end_ms, events = next(left)
    for at_ms, mark in zip(times, marks(made, times), strict=True):
        sealed_ms = mark - plan.lateness_ms
        waiting += at_ms - at_ms % plan.pane_ms + plan.pane_ms <= sealed_ms
        while end_ms <= sealed_ms:
            share = waiting / (waiting + events)
            if share > LATE_SHARE_LIMIT:
                found.append(Said(end_ms, share))
            waiting = 0
            end_ms, events = next(left, (2**62, 0))
    return found


def marks(made: list[FileRecord], times: list[int]) -> list[int]:
    """How far time has come after each record; those of a file agree on it, chunk by chunk."""
    told = [-(2**62)]
    for begin in range(0, len(made), CHUNK_RECORDS):
        of_chunk = times[begin : begin + CHUNK_RECORDS]
        stamps = [one.timestamp for one in made[begin : begin + CHUNK_RECORDS]]
        clock = stamps if stamps[0] else agreed(of_chunk)
        reached = newest = -(2**62)
        for at_ms, now_ms, own_ms in zip(of_chunk, clock, stamps, strict=True):
            reached, newest = (
                max(reached, min(at_ms, now_ms)),
                max(newest, min(at_ms, own_ms or at_ms)),
            )
            told.append(max(told[-1], min(newest, reached + 2_500)))
    return told[1:]


@pytest.mark.parametrize(
    ("late", "stamped"), [(burst, False), (burst, True), (two_bursts, False), (trickle, True)]
)
def test_replay_says_what_a_naive_count_does(
    plan: Plan, late: Callable[[int], float], stamped: bool
) -> None:
    said, counted, total = replayed(plan, records(late, stamped=stamped))
    assert total > 50
    assert said[0] == counted[0]
    assert set(said) <= set(counted)  # an open episode does not repeat what hardly changed


def test_replay_says_what_a_worker_says_that_reads_as_events_come(plan: Plan) -> None:
    book = PlanBook()
    book.add(plan)
    made = records(lambda i: 0.3 * (1_000 <= i < 1_300), stamped=True)[:2_000]
    reader, monitor = Summariser(SOURCE, book, NativeDecoder(book)), PartitionMonitor(book)
    alerts: list[AlertEvent] = []
    offset = 0
    for one in made:
        for flush in reader.add([one]):
            for value in (*(value for _, value in flush.summaries), flush.progress):
                alerts += monitor.apply(offset, value, 0, plans_current=True)
                offset += 1
    live, file = told_of(alerts), told_of(list(Replay(book).run(iter(made), at_end=False)))
    assert live
    assert live == file


def test_without_late_events_nothing_is_said_and_nothing_is_cut(plan: Plan) -> None:
    made = records(lambda i: 0.0, stamped=True)
    said, counted, total = replayed(plan, made)
    assert (said, counted, total) == ([], [], 0)
    book = PlanBook()
    book.add(plan)
    blocks = PaneBlocks(NativeDecoder(book), book, plan.topic)
    assert list(blocks.cut(made[:BATCH_RECORDS])) == [made[:BATCH_RECORDS]]
    assert blocks.decode(made[:BATCH_RECORDS]).time_ms.size == BATCH_RECORDS


def test_blocks_are_cut_about_late_events_alone(plan: Plan) -> None:
    book = PlanBook()
    book.add(plan)
    blocks = PaneBlocks(NativeDecoder(book), book, plan.topic)
    made = records(lambda i: float(2_000 <= i < 2_100), stamped=True)[:BATCH_RECORDS]
    cut = list(blocks.cut(made))
    assert [one for block in cut for one in block] == made
    assert 1_900 < len(cut[0]) <= 2_000
    assert len(made) - 2_130 < len(cut[-1]) <= len(made) - 2_100
