"""Joins on logs: what is read again, by whom, and in which interleaving, changes nothing."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from stream.contracts.pair_message import PairRows, encode_pair
from stream.contracts.summary_message import Idle, Source, SummaryBatch, decode_message
from stream.decode.native import NativeDecoder
from stream.join import pair_writer
from stream.join.joiner import JoinCounts
from stream.join.pair_writer import PairWriter
from stream.join.partition import Join, PartitionJoin
from stream.join.rows import RowBatch, row_dtype
from stream.metrics.joins import of_joins
from stream.plans.plan import PlanBook
from stream.stage1.stats import Stage1Stats
from stream.stage1.summarise import Summariser
from tests.stream.join.log_world import (
    PAIRS,
    PREDICTIONS,
    START_S,
    N,
    Rec,
    World,
    naive,
    plan,
    replayed,
)


def counted(world: World) -> JoinCounts:
    found = world.counts()
    found.again = 0
    return found


@pytest.mark.parametrize("seed", range(4))
def test_restarts_and_zombies_change_nothing(seed: int) -> None:
    world = World()
    world.run(random.Random(seed), faults=0.05 if seed else 0.0)
    assert (world.kills > 5) == bool(seed)
    counts, truths = naive()
    assert min(counts.corrected, counts.repeated, counts.unmatched, counts.unknown) > 0
    assert counted(world) == counts
    assert world.truths() == truths
    monitors, alerts = world.monitors()
    assert alerts == replayed(world.plan)
    assert alerts, "there must be alerts, or nothing is compared"
    for monitor in monitors:
        assert not monitor.refused
        assert not monitor.sources.declared_loss


def all_are_news(join: Join, message: PairRows, rows: np.ndarray) -> np.ndarray:
    return np.ones(rows.size, np.bool_)


@pytest.mark.parametrize(
    "rule", ["rows are taken again", "progress first", "the join is not waited for"]
)
def test_each_rule_is_needed(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if rule == "rows are taken again":
        monkeypatch.setattr(Join, "unread", all_are_news)
    for seed in range(1, 5):
        world = World(broken=frozenset([rule]))
        world.run(random.Random(seed), faults=0.05)
        monitors, alerts = world.monitors()
        refused = any(monitor.refused for monitor in monitors)
        if counted(world) != naive()[0] or alerts != replayed(world.plan) or refused:
            return
    pytest.fail(f"nothing shows that a rule is broken: {rule}")


def test_without_a_label_it_is_what_the_plan_says() -> None:
    world = World(settings={"outcome_absent_means": "no"})
    world.run(random.Random(1), faults=0.05)
    counts, truths = naive(absent="no")
    assert counted(world) == counts
    assert world.truths() == truths
    assert sum(truths["", name] for name in ("yes", "no")) == N
    assert world.monitors()[1] == replayed(world.plan)


def test_silence_settles_all_that_came() -> None:
    world = World()
    world.run(random.Random(2), faults=0.02, last=False)
    _, truths = naive()
    assert world.truths() != truths, "something has to be left"
    world.fall_silent()
    assert world.truths() == truths
    for log in world.summaries:
        words = [decode_message(value) for _, value in log]
        assert any(isinstance(w, Idle) and w.source.topic.startswith("join/") for w in words)
    (monitor,) = [monitor for monitor in world.monitors()[0] if monitor.subjects]
    (subject,) = monitor.subjects.values()
    assert not len(subject.store)
    assert not monitor.refused


def test_a_plan_of_the_same_key_goes_on_with_what_waits() -> None:
    later = plan(window_events=700)
    world = World(later=later)
    world.run(random.Random(3), faults=0.05)
    assert later.join_key == world.plan.join_key
    counts, truths = naive()
    assert counted(world) == counts
    assert world.truths() == truths
    for monitor in world.monitors()[0]:
        assert not monitor.refused


def test_a_plan_of_another_key_begins_anew() -> None:
    world = World(later=plan(outcome_wait_ms=900_000))
    world.run(random.Random(3), faults=0.0)
    messages = [decode_message(value) for log in world.summaries for _, value in log]
    joined = {
        (message.source.topic, message.plan)
        for message in messages
        if isinstance(message, SummaryBatch) and message.source.topic.startswith("join/")
    }
    assert len(joined) == 2
    assert sum(world.truths().values()) < sum(naive()[1].values())
    for monitor in world.monitors()[0]:
        assert not monitor.refused


def test_rows_of_one_record_may_be_in_several_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_writer, "_MAX_ROWS", 8)
    rows = np.zeros(30, row_dtype(2))
    rows["offset"] = np.repeat([3, 5, 6], [2, 21, 7])
    rows["id"] = np.arange(30)
    cut = list(pair_writer._cut(rows, [["v"] * 30, [None] * 30]))
    assert [skip for skip, _ in cut] == [0, 6, 14, 1]
    join = Join.of(plan())
    ids: list[int] = []
    for messages in (cut[:2], cut, cut[1:]):  # a writer that was overtaken, its successor, another
        for skip, message in messages:
            batch = RowBatch.decode(message)
            read = PairRows(Source("id", "p", 0, 1), b"", skip, message)
            ids += batch.rows["id"][join.unread(read, batch.rows)].tolist()
    assert ids == list(range(30))


@pytest.mark.parametrize(
    ("field", "value"), [("code", 99), ("code", -2), ("kind", 9), ("scopes", 0), ("scopes", 7)]
)
def test_rows_that_no_plan_can_have_made_are_refused(field: str, value: int) -> None:
    watched = plan()
    book = PlanBook()
    book.add(watched)
    source = Source("id-p", "p", 0, PREDICTIONS)

    def taken(rows: np.ndarray) -> PartitionJoin:
        join = PartitionJoin(book, "id-pairs", 0, PAIRS)
        message = RowBatch(rows, [["v"], ["us"]]).encode()
        assert not join.apply(0, encode_pair(PairRows(source, watched.join_key, 0, message)), 0)
        return join

    rows = np.zeros(3, row_dtype(2))
    rows["kind"], rows["code"], rows["scopes"] = [0, 2, 0], -1, 1
    rows["code"][1] = 0
    good = taken(rows.copy())
    assert not good.refused
    assert good.nbytes
    rows[field][1 if field == "code" else 0] = value
    bad = taken(rows)
    assert bad.refused == {"undecodable": 1}
    assert bad.fence == 1
    assert not bad.nbytes


def test_what_is_no_message_is_counted() -> None:
    join = PartitionJoin(PlanBook(), "id-pairs", 0, PAIRS)
    assert not join.apply(0, b"nonsense", 0)
    assert not join.apply(3, None, 0)
    assert join.refused == {"undecodable": 2}
    assert (join.fence, join.lost) == (4, 1)


def shown(stats: Stage1Stats, joins: list[PartitionJoin]) -> dict[tuple[str, ...], float]:
    """Samples of what is left out, by their metric and labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in of_joins(joins, [stats])
        for sample in family.samples
        if sample.name in ("driftstream_unjoinable_total", "driftstream_pairs_refused_total")
    }


@pytest.mark.parametrize("named", [True, False])
def test_what_cannot_be_joined_is_shown(named: bool) -> None:
    """As many as there are; none where all have ids and truths."""
    watched = plan()
    book, event = PlanBook(), {"model": {"name": "m"}, "timestamp": START_S}
    book.add(watched)
    texts: dict[str, list[dict[str, object]]] = {
        "p": [{"features": {}, "prediction": {"score": 0.5}}] * 3,
        "l": [{"actual": {"label": "no"}}] * 2 + [{"actual": {"label": "no" if named else None}}],
    }
    total = Stage1Stats()
    for topic, more in texts.items():
        writer = PairWriter(Source(f"id-{topic}", topic, 0, 1), book, PAIRS)
        reader = Summariser(
            Source(f"id-{topic}", topic, 0, 1),
            book,
            NativeDecoder(book, max_ahead_ms=60_000, labels=True),
            on_counted=writer.counted,
            on_labels=writer.labelled,
        )
        ids = [{"prediction_id": f"{topic}{i}"} if named or i == 2 else {} for i in range(3)]
        values = [
            json.dumps(event | one | its).encode() for one, its in zip(more, ids, strict=True)
        ]
        list(reader.add([Rec(i, START_S * 1_000, value) for i, value in enumerate(values)]))
        total.unjoinable |= writer.unjoinable
    join = PartitionJoin(book, "id-pairs", 0, PAIRS)
    if not named:
        join.apply(0, b"nonsense", 0)
    name = "driftstream_unjoinable_total"
    assert shown(total, [join]) == (
        {}
        if named
        else {
            (name, "m", "prediction_without_id"): 2,
            (name, "m", "label_without_id"): 2,
            (name, "m", "label_without_truth"): 1,
            ("driftstream_pairs_refused_total", "undecodable"): 1,
        }
    )
