"""Real features with a real change, through `Replay`: silent before it, and an episode after."""

from __future__ import annotations

import pytest

from stream.contracts.alert_event import parse_time
from stream.decode.record import FileRecord
from stream.plans.plan import DeclaredSignal, Learn, LearningPlan, PlanBook
from stream.replay import Replay
from tests import insects


@pytest.fixture(scope="module")
def rows():
    return insects.table()


def alerts_of(rows, share):
    book = PlanBook()
    book.add(insects.plan(rows))
    records = (FileRecord(i, 0, v) for i, v in enumerate(insects.stream(rows, share)))
    return list(Replay(book).run(records))


def test_nothing_opens_where_nothing_changed(rows):
    assert alerts_of(rows, 0.0) == []


# What each share of changed rows needs at most, in rows after the change; 10 % may be missed.
@pytest.mark.parametrize(("share", "within"), [(1.0, 200), (0.5, 400), (0.25, 2_500), (0.1, None)])
def test_an_episode_opens_after_the_change_and_none_before(rows, share, within, record_property):
    alerts = alerts_of(rows, share)
    delays = [parse_time(a.time) // 1000 - insects.START_S - insects.N_NULL for a in alerts]
    record_property("delay_rows", delays[0] if delays else "none")
    assert all(delay > 0 for delay in delays)
    if within is not None:
        assert delays
        assert delays[0] <= within
        assert alerts[0].data.labels.kind == "data_drift"


def test_a_reference_learned_from_the_stream_finds_it_too(rows):
    """4,000 rows in order to learn from, 4,000 without a change, then one of half of the rows.

    Without att21, whose mean moves within the 4,000.
    """
    signals = {n: DeclaredSignal("numeric") for n in insects.names() if n != "att21"}
    book = PlanBook()
    book.add(LearningPlan(model=insects.MODEL, learn=Learn(4_000, signals)))
    replay = Replay(book)
    events = insects.events(rows[15_000:19_000], insects.START_S - 4_000)
    events += insects.stream(rows, 0.5)[: insects.N_NULL + 500]
    alerts = list(replay.run(FileRecord(i, 0, v) for i, v in enumerate(events)))
    (held,) = replay.monitor.subjects.values()
    assert held.phase.tested_since_ms == insects.START_S * 1000
    delay = parse_time(alerts[0].time) // 1000 - insects.START_S - insects.N_NULL
    assert 0 < delay <= 400
