"""Memory of many scopes, in a process of its own:
`python -m benchmarks.memory MODELS SEGMENTS [SIGNALS]`; so many versions of one model if MODELS is
negative.

The real monitor of one summaries partition takes panes of every scope until all have a window and
a filling pane. Prints resident bytes with nothing but the imports done, then with all scopes.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from dataclasses import replace

import msgspec
import numpy as np
import psutil

from benchmarks.workloads import Workload, w1
from detectors import Reference, accumulate, warm_up
from detectors.counting.sparse import encode_counts
from stream.contracts.summary_message import (
    Progress,
    Source,
    SummaryBatch,
    SummaryEntry,
    encode_message,
)
from stream.plans.plan import Plan, PlanBook
from stream.stage2.monitor import PartitionMonitor

_EVENTS = 600  # of one pane
_MAX_PANES = 400  # windows are widened for the budget where events are many
_SOURCE = Source("bench", "predictions", 0, 1)


def load(n_signals: int) -> Workload:
    """W1 with another number of features."""
    return replace(w1(1, 16_384, 1), n_numeric=n_signals)


def plans(n_models: int, n_segments: int, n_signals: int) -> Iterator[Plan]:
    """A plan for each model with a reference of its own: nothing is shared by accident."""
    reference = load(n_signals).reference(10_000)
    segments = ("region",) if n_segments else ()
    for number in range(n_models):
        mine = Reference.from_json(replace(reference, model=f"model-{number}").to_json())
        yield Plan(model=mine.model, reference=mine, segments=segments)


def fill(monitor: PartitionMonitor, book: PlanBook, n_segments: int, versions: int = 1) -> int:
    """Give every scope its panes; the number of alert events that came of it."""
    some = next(iter(book))[1]
    workload = load(len(some.monitored))
    names = ["", *(f"region=r{i}" for i in range(n_segments))]
    offset = alerts = 0
    for pane in range(_MAX_PANES):
        values = np.column_stack(list(workload.columns(_EVENTS, 1_000 + pane).values()))
        counts = np.zeros((1, some.layout.width), np.int64)
        positions = some.layout.positions(values, np.empty((_EVENTS, 0), np.int32))
        accumulate(positions, np.zeros(_EVENTS, np.int32), counts)
        encoded = encode_counts(counts[0])
        pane_ms = 1_700_000_000_000 + pane * some.pane_ms
        chunk = pane * 1_000
        messages = [
            encode_message(
                SummaryBatch(
                    _SOURCE,
                    chunk,
                    chunk + 999,
                    plan.model,
                    str(version),
                    plan.short_hash,
                    0,
                    [SummaryEntry(name, pane_ms, encoded) for name in names],
                )
            )
            for _, plan in book
            for version in range(versions)
        ]
        messages.append(encode_message(Progress(_SOURCE, chunk, chunk + 999, pane_ms + 5_000)))
        for message in messages:
            alerts += len(monitor.apply(offset, message, pane_ms, plans_current=True))
            offset += 1
        tested = [
            len(subject.detection.results) if subject.detection else 0
            for subject in monitor.subjects.values()
        ]
        if min(tested) > n_segments:  # all windows are whole, and the next ones begun
            break
    return alerts


def main() -> None:
    """Measure and print."""
    n_models, n_segments, n_signals = map(int, [*sys.argv[1:], "20"][:3])
    process = psutil.Process()
    warm_up()  # kernels are the same for any number of scopes
    gc.collect()
    before = process.memory_info().rss
    book = PlanBook()
    for plan in plans(max(1, n_models), n_segments, n_signals):
        book.add(plan)
    monitor = PartitionMonitor(book)
    alerts = fill(monitor, book, n_segments, max(1, -n_models))
    gc.collect()
    held = len(monitor.subjects)
    tested = sum(
        len(subject.detection.results) for subject in monitor.subjects.values() if subject.detection
    )
    print(
        msgspec.json.encode(
            {
                "before": before,
                "after": process.memory_info().rss,
                "subjects": held,
                "tested": tested,
                "alerts": alerts,
            }
        ).decode()
    )


if __name__ == "__main__":
    main()
