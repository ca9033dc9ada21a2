"""Replay: both stages over a file decide what the stages apart decide."""

from __future__ import annotations

import random

import pytest

from stream.decode.record import FileRecord
from stream.plans.plan import PlanBook, Subject
from stream.replay import Replay
from stream.replay.replay import BATCH_RECORDS
from tests.stream.harness import START_S, make_events, make_plan, plain_alert, run_stages

N = 1_500


@pytest.fixture(scope="module")
def plans() -> PlanBook:
    book = PlanBook()
    book.add(make_plan())
    return book


@pytest.fixture(scope="module")
def events() -> list[bytes]:
    return make_events(11, N, drift_at=N // 2)


def records(events: list[bytes]) -> list[FileRecord]:
    return [FileRecord(i, (START_S + i) * 1000, v) for i, v in enumerate(events)]


def test_a_file_decides_what_a_cluster_does(plans, events):
    expected, _ = run_stages(plans, events, partitions=3, seed=1)
    assert expected
    assert [plain_alert(a) for a in Replay(plans).run(records(events))] == expected


def test_a_file_in_pieces_is_the_file(plans, events):
    whole = [plain_alert(a) for a in Replay(plans).run(records(events))]
    rng = random.Random(3)
    replay = Replay(plans)
    pieces = []
    log = records(events)
    while log:
        size = rng.randint(1, BATCH_RECORDS // 5)
        pieces += map(plain_alert, replay.run(log[:size], at_end=len(log) <= size))
        log = log[size:]
    assert pieces == whole


def test_without_the_end_only_what_the_frontier_passed_is_sealed(plans, events):
    replay = Replay(plans)
    list(replay.run(records(events), at_end=False))
    held = replay.monitor.subjects[Subject("fraud", "1")]
    assert held.frontier_ms == (START_S + N - 1 - 5) * 1000
    assert held.panes_sealed == N // 10 - 1
    list(replay.run([], at_end=True))
    assert held.panes_sealed == N // 10


def test_every_refused_record_is_told_once(plans, events):
    log = records(events)
    for i in (0, 7, N - 1):
        log[i] = FileRecord(i, log[i].timestamp, b"{broken")
    told = []
    replay = Replay(plans, on_reject=lambda record, reject: told.append((record.offset, reject)))
    list(replay.run(log))
    assert [offset for offset, _ in told] == [0, 7, N - 1]
    assert {reject.reason for _, reject in told} == {"undecodable"}
    assert replay.summariser.stats.rejected == {"undecodable": 3}
    assert replay.summariser.stats.events == {"fraud": N - 3}


def test_a_file_of_nothing(plans):
    replay = Replay(plans)
    assert list(replay.run([])) == []
    assert replay.monitor.subjects == {}
