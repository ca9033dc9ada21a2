"""Versions without end: decoded by the plan, bounded in a chunk, nothing uncounted."""

from __future__ import annotations

import json
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.counting.sparse import decode_counts
from stream.contracts.moments import MINUS_INFINITY
from stream.contracts.summary_message import Source, SummaryBatch, decode_message
from stream.decode import NativeDecoder, native
from stream.decode.columns import Columns
from stream.plans.plan import Plan, PlanBook
from stream.stage1 import versions as module
from stream.stage1.summarise import Summariser
from stream.stage1.versions import OTHER_VERSION, ChunkVersions
from tests.stream.decode.test_decode_batch import batch
from tests.stream.decode_tools import NOW_MS, book, event, plan, record, reference

REFERENCE = reference()
few = settings(derandomize=True, max_examples=60, deadline=None)


def of(version, **members):
    return event(model={"name": "fraud", "version": version}, **members)


def versions_of(decoded) -> dict[str, list[int]]:
    """Rows of each plan's version, whatever the group."""
    found = {}
    for group in decoded.groups:
        sent = group.versions
        texts = [sent] * len(group.rows) if isinstance(sent, str) else sent
        for text, row in zip(texts, group.rows.tolist(), strict=True):
            found.setdefault((group.plan.version, text), []).append(row)
    return found


# ---- decoding


def test_a_decoder_is_made_for_a_plan_and_not_for_a_version(monkeypatch):
    made = []
    real = native.make_plan_decoder
    monkeypatch.setattr(native, "make_plan_decoder", lambda *a: made.append(a) or real(*a))
    decoder = NativeDecoder(book(plan(), plan("churn")))
    for poll in range(5):
        documents = [
            event(model={"name": ("fraud", "churn")[i % 2], "version": f"v{poll}-{i}"})
            for i in range(100)
        ]
        decoded = decoder.decode([record(one) for one in documents])
        assert [len(group.rows) for group in decoded.groups] == [50, 50]
    assert len(made) == 2


def test_new_versions_of_models_in_turn_take_the_fast_way(monkeypatch):
    slow = []
    real = NativeDecoder._read_slowly
    monkeypatch.setattr(
        NativeDecoder, "_read_slowly", lambda self, *a: slow.append(1) or real(self, *a)
    )
    decoder = NativeDecoder(book(plan(), plan("churn"), plan("risk")))
    decoder.decode(
        [
            record(event(model={"name": ("fraud", "churn", "risk")[i % 3], "version": str(i)}))
            for i in range(300)
        ]
    )
    assert len(slow) <= 6


@pytest.mark.parametrize("order", [("3", "4", "5", 3, 3.0), (3.0, "5", "3", "4")])
def test_a_version_with_a_plan_of_its_own_is_read_by_that(order):
    """Events, batches and Arrow; whichever decoder was tried first."""
    plans = book(plan(), Plan(model="fraud", reference=REFERENCE, version="3", pane_ms=20_000))
    single = NativeDecoder(plans).decode([record(of(v)) for v in order])
    blocks = NativeDecoder(plans).decode(
        [
            record({"model": {"name": "fraud", "version": v}, "columns": batch(1)["columns"]})
            for v in order
        ]
    )
    wanted = {}
    for row, version in enumerate(order):
        text = str(int(version)) if isinstance(version, float) else str(version)
        wanted.setdefault(("3" if text == "3" else "*", text), []).append(row)
    assert versions_of(single) == versions_of(blocks) == wanted
    assert not single.rejects
    assert not blocks.rejects


def test_a_plan_that_comes_back_gives_one_group():
    """Versions are numbered by the log: two groups of one plan would not be in its order."""
    one, two = (
        Plan(model="fraud", reference=REFERENCE),
        Plan(model="fraud", reference=REFERENCE, pane_ms=5_000),
    )
    plans = PlanBook()
    for since, held in ((MINUS_INFINITY, one), (NOW_MS, two), (NOW_MS + 60_000, one)):
        plans.add(held, since)
    times = [NOW_MS - 1, NOW_MS + 70_000, NOW_MS + 1, NOW_MS - 2]
    records = [
        record(of(str(i), timestamp=t / 1000), timestamp=NOW_MS + 80_000)
        for i, t in enumerate(times)
    ]
    decoded = NativeDecoder(plans).decode(records)
    assert {g.plan.pane_ms: g.versions for g in decoded.groups} == {
        10_000: ["0", "1", "3"],
        5_000: "2",
    }


# ---- the bound


def twin(log, at_once, first, most):
    """One event after the other, with lists alone."""
    own, seen, names = [], [], []
    for version in log:
        if version in ("", OTHER_VERSION):
            names.append(version)
            continue
        if version not in own and len(own) < most:
            if len(own) < at_once or seen.count(version) >= first:
                own.append(version)
            else:
                seen.append(version)
        names.append(version if version in own else OTHER_VERSION)
    return names


@few
@given(
    st.lists(st.sampled_from(["", OTHER_VERSION, *map(str, range(9))]), max_size=60),
    st.lists(st.integers(1, 9), min_size=60, max_size=60),
)
def test_the_bound_is_a_function_of_the_log(log, polls):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "AT_ONCE", 2)
        patch.setattr(module, "EVENTS_FIRST", 3)
        patch.setattr(module, "MAX_VERSIONS", 4)
        known, names, at = ChunkVersions(), [], 0
        for size in polls:
            part = log[at : at + size]
            at += size
            if part:
                names += _names(part, known)
        assert names == twin(log, 2, 3, 4)


def _names(part, known):
    """What `by_version` makes of a poll, in the order of its rows."""

    n = len(part)
    sent = part[0] if len(set(part)) == 1 else part
    group = Columns(
        "fraud",
        sent,
        None,
        np.arange(n),
        np.arange(n)[:, None] * 1.0,
        np.empty((n, 0), np.int32),
        [list(range(n))],
    )
    names = [None] * n
    for name, taken in module.by_version(group, known):
        assert taken.numeric[:, 0].tolist() == taken.segments[0] == taken.rows.tolist()
        for row in taken.rows.tolist():
            names[row] = name
    return names


def summarised(log, poll: int):
    """All summaries of a log of one plan, and the counters."""
    plans = book(plan())
    summariser = Summariser(Source("id", "predictions", 0, 1), plans, NativeDecoder(plans))
    flushes = []
    for at in range(0, len(log), poll):
        flushes += summariser.add(log[at : at + poll])
    flushes.append(summariser.flush_idle())
    width = next(iter(plans))[1].layout.width
    newest: dict[tuple[str, str, int], int] = {}
    for flush in flushes:
        for _, value in flush.summaries:
            message = decode_message(value)
            assert isinstance(message, SummaryBatch)
            for entry in message.entries:
                events = int(decode_counts(entry.counts, width)[0])
                newest[message.version, entry.segment, entry.pane_ms] = events
    per_version: Counter[str] = Counter()
    for (version, segment, _), events in newest.items():
        per_version[version] += 0 if segment else events
    return per_version, summariser.stats


def test_a_flood_is_bounded_and_counted_to_the_last_event():
    """New versions with nine events of ten; the tenth is of an honest version that comes late."""
    rng = random.Random(1)
    log = [
        record(of("honest" if i > 300 and rng.random() < 0.1 else f"id-{i}"), offset=i)
        for i in range(3_000)
    ]
    honest = sum(b'"honest"' in r.value for r in log)
    whole, stats = summarised(log, 3_000)
    assert sum(whole.values()) == 3_000
    assert len(whole) == module.AT_ONCE + 2
    assert whole["honest"] == honest - module.EVENTS_FIRST
    assert whole[OTHER_VERSION] == stats.versions_folded["fraud"] == 3_000 - 100 - whole["honest"]
    for poll in (1, 7, 256):
        assert summarised(log, poll)[0] == whole


def test_few_versions_are_counted_on_their_own():
    log = [record(of(f"v{i % 100}"), offset=i) for i in range(1_000)]
    per_version, stats = summarised(log, 64)
    assert per_version == {f"v{i}": 10 for i in range(100)}
    assert stats.versions_folded == {}


def test_a_version_too_long_is_refused_and_takes_no_place():
    log = [record(of("x" * 201 + str(i)), offset=i) for i in range(300)]
    log += [record(of(f"v{i}"), offset=300 + i) for i in range(100)]
    log.append(
        record(
            {"model": {"name": "fraud", "version": "y" * 201}, "columns": batch(3)["columns"]},
            offset=400,
        )
    )
    per_version, stats = summarised(log, 50)
    assert stats.rejected == {"wrong_type": 301}
    assert per_version == {f"v{i}": 1 for i in range(100)}
    assert json.loads(log[0].value)["model"]["version"] not in str(stats.last_reject)
