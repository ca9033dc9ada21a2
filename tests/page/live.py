"""A worker in small and its page, and a report, for tests that open them in a browser."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from stream.decode.record import FileRecord
from stream.metrics import MetricsCollector, serve
from stream.page import asset, live_pages
from stream.plans.plan import PlanBook
from stream.replay import Replay
from stream.report import render
from tests.stream.harness import make_events, make_plan, replayed
from tests.stream.metrics.test_metrics import FileState

__all__ = ["DRAWN", "SIZES", "Worker", "each_size", "write_report"]

SIZES = ((1440, False), (1440, True), (390, False), (390, True))
each_size = pytest.mark.parametrize(
    ("width", "dark"),
    SIZES,
    ids=[f"{width}-{'dark' if dark else 'light'}" for width, dark in SIZES],
)
#: True as soon as a page has shown what the worker says.
DRAWN = "Number(document.body.dataset.shown || 0)"
EVENTS = make_events(3, 4_000, drift_at=1_500)


class Worker:
    """A worker in small: `feed` takes more events in."""

    def __init__(self) -> None:
        book = PlanBook()
        book.add(make_plan())
        self.state = FileState(Replay(book))
        self._events = iter([FileRecord(i, 0, value) for i, value in enumerate(EVENTS)])
        state = self.state
        self.server = serve("127.0.0.1:0", MetricsCollector(state), state, live_pages(state))
        self.url = f"http://127.0.0.1:{self.server.port}/"

    def feed(self, n: int) -> None:
        for alert in self.state.replay.run(list(islice(self._events, n)), at_end=False):
            self.state.count(alert)


def write_report(path: Path) -> Path:
    """The report of a replay that drifts."""
    plan = make_plan()
    recorder, _ = replayed(plan, EVENTS)
    made = recorder.report(plan, "rows.csv", len(EVENTS), 0, 0, (1e-4, 1e-5))
    path.write_text(render(made, asset("style.css").decode(), recorder.rows()))
    return path
