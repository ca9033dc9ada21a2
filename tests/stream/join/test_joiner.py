"""The join is a function of the rows: whatever comes when, it is that of a naive batch."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stream.join.joiner
from stream.join.held import HeldPredictions, held_dtype
from stream.join.joiner import Joiner
from stream.join.rows import LABEL, PREDICTION, RowBatch, RowError, row_dtype
from tests.stream.join.worlds import (
    HOUR,
    PARTITIONS,
    WAIT,
    Row,
    World,
    batch,
    complete_ms,
    naive,
    run,
    step,
    world,
)


def differs(make: Callable[..., Joiner], worlds: int, runs: int) -> bool:
    """Whether any run differs from the naive join."""
    for seed in range(worlds):
        parts = world(random.Random(seed))
        joined, counts = naive(parts)
        for k in range(runs):
            found, counted, ever = run(parts, random.Random(1_000 * seed + k), make)
            if found != joined or counted != counts or not ever <= joined.keys():
                return True
    return False


def test_every_interleaving_with_kills_and_zombies_is_the_naive_join() -> None:
    joined, counts = naive(world(random.Random(0)))
    assert {view for view, *_ in joined} == {"first", "final"}
    assert set(counts) == {
        "predictions", "copies", "labelled", "corrected", "repeated", "unmatched", "erased",
        "known", "unknown",
    }  # fmt: skip
    assert not differs(Joiner, worlds=25, runs=8)


#: What each rule is in the source, and the source without it.
MUTATIONS = {
    "no high-water mark": ('rows["offset"] > self._read[partition]', 'rows["offset"] >= 0'),
    "settled by one partition": ("min(self._complete.values())", "max(self._complete.values())"),
    "rows that wait are forgotten": (
        "self._waiting = [rows[~due]] if not due.all() else []", "self._waiting = []",
    ),
    "labels that come first are forgotten": ("rows[lone & may_come]", "rows[:0]"),
    "labels that come first are kept for ever": (
        "may_come = time_ms + AHEAD_MS >= self.settled_ms", "may_come = time_ms > 0",
    ),
    "no wait": ("own &= time_ms[which] <= made_ms + self._wait_ms", "own &= True"),
    "a label from long before": ("own = time_ms[which] >= made_ms - AHEAD_MS", "own = at >= 0"),
    "an erasure is of all time": (
        "~erases & (at_ms < erased_ms[group])", "~erases & (erased_ms[group] == INFINITY)",
    ),
    "an erasure is forgotten": ('held["flags"][places[now_gone]] |= ERASED', "pass"),
    "what was erased is told": ('run.take((run.rows["flags"] & ERASED) == 0)', "run"),
    "an id is closed too early": ("closed_ms = self._wait_ms + AHEAD_MS", "closed_ms = 0"),
    "a span is dropped too early": (
        "drop(to_ms - self._wait_ms - AHEAD_MS)", "drop(to_ms - self._wait_ms)",
    ),
    "a label counts again": ("fresh = counts[opens & ~known]", "fresh = counts[opens]"),
    "the first label is final": ('held["label"][at[last]] = label[last]',
        'held["label"][at[fresh]] = label[fresh]'),
    "the order of arrival": ("rows = rows[self._order(rows)]",
        'rows = rows[np.argsort(rows["id"], kind="stable")]'),
    "names by their numbers": ("if not same.any():", "if True:"),
    "restored without the fence": (
        "self._complete, self._read = state.complete, state.read",
        "self._complete = state.complete; self._read = dict.fromkeys(state.read, 10)",
    ),
    "restored without what waits": (
        "self._waiting = [np.frombuffer(rows, self._row).copy() for rows in state.waiting]",
        "self._waiting = []",
    ),
    "restored without lone labels": (
        "self._lone = np.frombuffer(state.lone, self._row).copy()", "pass",
    ),
    "restored without names": ("self.names = state.names", "pass"),
    "restored without how far": ("self.settled_ms = state.settled_ms", "pass"),
}  # fmt: skip


@pytest.mark.parametrize("rule", MUTATIONS)
def test_without_any_of_its_rules_it_is_another(rule: str) -> None:
    source = Path(stream.join.joiner.__file__).read_text()
    old, new = MUTATIONS[rule]
    assert source.count(old) == 1
    namespace: dict[str, Any] = {"__name__": "stream.join.joiner"}
    exec(compile(source.replace(old, new), "mutated", "exec"), namespace)
    assert _is_caught(namespace["Joiner"])


def _is_caught(make: Callable[..., Joiner]) -> bool:
    try:
        return differs(make, worlds=12, runs=6)
    except (AssertionError, IndexError):  # out of its step, or a name that is not there
        return True


ROWS = st.lists(
    st.builds(
        Row,
        time=st.integers(0, 90),
        kind=st.sampled_from([PREDICTION, PREDICTION, LABEL, LABEL, 1]),
        id=st.integers(1, 4),
        value=st.sampled_from([0.0, 1.0]),
        code=st.integers(0, 2),
        region=st.sampled_from([None, "n", "s"]),
    ),
    max_size=14,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ROWS, min_size=2, max_size=2), st.integers(0, 2**32))
def test_few_ids_and_many_rows_are_the_naive_join(rows: list[list[Row]], seed: int) -> None:
    parts: World = {name: [] for name in PARTITIONS}
    parts |= dict(zip(("p0", "l0"), rows, strict=True))
    joined, counts = naive(parts)
    found, counted, _ = run(parts, random.Random(seed))
    assert found == joined
    assert counted == counts


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_a_state_that_was_dumped_goes_on_as_the_one_it_is_of(seed: int) -> None:
    rng = random.Random(seed)
    parts = world(rng, 30)
    joiner, twin = (Joiner(PARTITIONS, 2, WAIT) for _ in range(2))
    for half in range(2):
        for name, rows in parts.items():
            cut = len(rows) // 2
            some = slice(half * cut, None if half else cut)
            joiner.add(name, batch(rows[some], half * cut))
            joiner.complete(name, complete_ms(rows, len(rows) if half else cut))
        if not half:
            step(joiner)
            twin.load(joiner.dump())
            assert twin.dump() == joiner.dump()
            for name, rows in parts.items():
                cut = len(rows) // 2
                twin.add(name, batch(rows[cut:], cut))
                twin.complete(name, complete_ms(rows, len(rows)))
    assert step(twin) == step(joiner)
    assert twin.dump() == joiner.dump()


def test_files_end_before_waits_do() -> None:
    joiner = Joiner(["p0", "l0"], 2, WAIT)
    joiner.add("p0", batch([Row(1, PREDICTION, 1, 0.5, 0), Row(40, PREDICTION, 2, 0.5, 0)], 0))
    joiner.add("l0", batch([Row(45, LABEL, 2, 0.0, 1)], 0))
    settled = joiner.settle_all()
    assert settled is not None
    assert settled.first.ids.tolist() == [2]
    assert settled.final.ids.tolist() == [1]
    assert not settled.final.labelled.any()
    assert joiner.settle_all() is None


def test_rows_of_a_time_that_was_complete_are_told() -> None:
    joiner = Joiner(["p0"], 2, WAIT)
    joiner.complete("p0", 10 * HOUR)
    joiner.settle()
    joiner.add("p0", batch([Row(9, PREDICTION, 1, 0.5, 0), Row(10, PREDICTION, 2, 0.5, 0)], 0))
    assert joiner.counts.late == 1
    joiner.settle_all()
    assert joiner.counts.predictions == 1


def test_state_of_another_join_is_refused() -> None:
    joiner = Joiner(["p0"], 2, WAIT)
    with pytest.raises(RowError, match="Begin anew"):
        joiner.load(Joiner(["p0"], 2, WAIT + 1).dump())
    with pytest.raises(RowError, match="no state of a join"):
        joiner.load(b"\x93abc")


BAD: dict[str, Callable[[bytes], bytes]] = {
    "no bytes": lambda raw: b"",
    "cut": lambda raw: raw[:-1],
    "of another": lambda raw: b"\x92\x90\x90",
}


@pytest.mark.parametrize("how", BAD)
def test_bytes_that_are_no_rows_are_refused(how: str) -> None:
    with pytest.raises(RowError):
        RowBatch.decode(BAD[how](batch([Row(1, PREDICTION, 1, 0.5, 0)], 0).encode()))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("kind", 3, "kind"),
        ("offset", -1, "order"),
        ("time_ms", 2**60, "time"),
        ("scopes", 9, "scope"),
    ],
)
def test_rows_out_of_bounds_are_refused(field: str, value: int, words: str) -> None:
    rows = np.zeros(2, row_dtype(1))
    rows[field][0] = value
    with pytest.raises(RowError, match=words):
        RowBatch.decode(RowBatch(rows, [["v"]]).encode())


def test_a_pending_prediction_costs_what_its_row_does() -> None:
    held = HeldPredictions(held_dtype(1), HOUR)
    rows = np.zeros(100_000, held_dtype(1))
    rows["time_ms"] = np.arange(100_000) * 360
    for start in range(0, 100_000, 1_000):
        ids = np.random.default_rng(start).integers(0, 2**63, 1_000).astype(np.uint64)
        held.add(ids, rows[start : start + 1_000])
    assert len(held) == 100_000
    assert held.nbytes == 39 * 100_000
    assert all((np.diff(run.ids.astype(object)) >= 0).all() for run in held.runs())
    assert sum(1 for _ in held.runs()) <= 11 * 8
    held.drop(5 * HOUR)
    assert len(held) == 50_000
