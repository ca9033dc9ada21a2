"""A changed reference or window begins anew, and whoever shares the worker notices nothing."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from stream.contracts.summary_message import Source
from stream.decode.native import NativeDecoder
from stream.decode.record import FileRecord
from stream.plans.plan import PlanBook, Subject
from stream.stage1.summarise import Summariser
from stream.stage2.monitor import PartitionMonitor
from tests.stream.harness import (
    START_S,
    make_events,
    make_plan,
    make_reference,
    plain_alert,
    reloaded,
)

KEPT, CHANGED = Subject("other", "1"), Subject("fraud", "1")
N, AT = 3_000, 1_500
POLL = 20


def run(change: dict[str, Any] | None) -> tuple[PartitionMonitor, list[dict[str, Any]]]:
    """Both models over one log; the plan of one changes half way, the state is restored there."""
    book = PlanBook()
    for name in ("fraud", "other"):
        book.add(make_plan(model=name))
    monitor = PartitionMonitor(book)
    reader = Summariser(
        Source("id", "predictions", 0, 1),
        book,
        NativeDecoder(book, max_ahead_ms=2**62),
        chunk_records=500,
    )
    alerts: list[dict[str, Any]] = []
    offset = 0
    events = make_events(3, N, drift_at=AT + 700)
    for i in range(0, N, POLL):
        if i == AT:
            if change is not None:
                book.add(make_plan(model="fraud", **change), (START_S + AT) * 1_000 + 60_000)
            monitor = reloaded(monitor, book)
        polled = events[i : i + POLL]
        both = [e for event in polled for e in (event, event.replace(b'"fraud"', b'"other"'))]
        records = [FileRecord(2 * i + k, 0, value) for k, value in enumerate(both)]
        for flush in reader.add(records):
            for value in (*(value for _, value in flush.summaries), flush.progress):
                alerts += map(plain_alert, monitor.apply(offset, value, 0, plans_current=True))
                offset += 1
    return monitor, alerts


@cache
def run_unchanged() -> tuple[PartitionMonitor, list[dict[str, Any]]]:
    return run(None)


@pytest.mark.parametrize(
    "change",
    [{"window_events": 300}, {"reference": make_reference("fraud", seed=11)}],
    ids=["window", "reference"],
)
def test_others_are_left_as_they_are(change: dict[str, Any]) -> None:
    before, before_alerts = run_unchanged()
    after, after_alerts = run(change)

    def of_kept(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [a for a in alerts if a["data"]["labels"]["model"] == "other"]

    assert of_kept(after_alerts) == of_kept(before_alerts) != []
    assert after.subjects[KEPT].dump() == before.subjects[KEPT].dump()
    phase, former = after.subjects[CHANGED].phase, before.subjects[CHANGED].phase
    assert phase is not None
    assert former is not None
    assert phase.plan.hash != former.plan.hash
    assert phase.detection is not None
    assert former.detection is not None
    assert phase.detection.windows.n_closed < former.detection.windows.n_closed  # it began anew
