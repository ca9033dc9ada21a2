"""Two hundred models of fifty signals: the page stays usable, and what it costs is bounded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from detectors import fit_reference
from stream.decode.record import FileRecord
from stream.metrics import MetricsCollector, serve
from stream.page import live_pages
from stream.page.page_model import MAX_EPISODES, MAX_MODELS, page_model_of
from stream.page.signal import signal_state
from stream.plans.plan import PlanBook
from stream.replay import Replay
from tests.page.live import DRAWN
from tests.stream.harness import START_S, make_plan
from tests.stream.metrics.test_metrics import FileState

MODELS, VERSIONS, SIGNALS, EVENTS = 5, 40, 50, 120
MOST_BYTES = 400_000


@pytest.fixture(scope="module")
def many() -> FileState:
    """Five models of forty versions; the odd versions drift in their first signals."""
    names = [f"signal_with_an_ordinary_name_{i}" for i in range(SIGNALS)]
    rng = np.random.default_rng(0)
    reference_rows = {name: rng.normal(size=1_000) for name in names}
    book = PlanBook()
    for m in range(MODELS):
        reference = fit_reference(
            reference_rows, model=f"model_{m}", version="", times_ms=None, segments=()
        )
        book.add(
            make_plan(
                model=f"model_{m}",
                reference=reference,
                signals={},
                segments=(),
                window_events=100,
                window_min_events=100,
            )
        )
    values = rng.normal(size=(EVENTS, SIGNALS)).round(3)

    def events() -> Iterator[bytes]:
        for i in range(EVENTS):
            for version in range(VERSIONS):
                row = values[i] + np.where(np.arange(SIGNALS) < 3, 3.0 * (version % 2), 0.0)
                features = dict(zip(names, row.tolist(), strict=True))
                for m in range(MODELS):
                    yield msgspec.json.encode(
                        {
                            "model": {"name": f"model_{m}", "version": str(version)},
                            "timestamp": START_S + i,
                            "features": features,
                        }
                    )

    state = FileState(Replay(book))
    for alert in state.replay.run(FileRecord(i, 0, value) for i, value in enumerate(events())):
        state.count(alert)
    assert len(state.replay.monitor.subjects) == MODELS * VERSIONS
    return state


def test_a_look_is_bounded(many: FileState, tell: Callable[[str], None]) -> None:
    page_model_of(many, "model_1", "7", 0)
    began = time.thread_time()
    said = page_model_of(many, "model_1", "7", 0)
    text = msgspec.json.encode(said)
    spent = 1000 * (time.thread_time() - began)
    tell(f"page of 200 models x 50 signals: {spent:.0f} ms of CPU, {len(text) / 1000:.0f} kB")
    assert len(text) < MOST_BYTES
    assert (len(said.models), said.more_models) == (MAX_MODELS, MODELS * VERSIONS - MAX_MODELS)
    assert said.models[0].worst > 1
    assert said.detail is not None
    assert (said.detail.model, said.detail.version) == ("model_1", "7")
    assert len(said.detail.signals) == SIGNALS
    assert said.versions is not None
    assert said.versions.more_versions == VERSIONS - len(said.versions.versions)
    assert len(said.episodes) <= MAX_EPISODES
    assert len(said.episodes) + said.more_episodes == MODELS * VERSIONS // 2
    of = signal_state(many, "model_1", "7", said.detail.signals[0].name, 0)
    assert len(msgspec.json.encode(of)) < MOST_BYTES


@pytest.mark.parametrize("width", [1440, 390])
def test_it_is_drawn_whole(many: FileState, browser: Callable[..., Any], width: int) -> None:
    server = serve("127.0.0.1:0", MetricsCollector(many), many, live_pages(many))
    try:
        with browser(f"http://127.0.0.1:{server.port}/", width=width) as tab:
            tab.wait_for(DRAWN)
            rows = tab.evaluate("document.querySelectorAll('#models tbody tr').length")
            assert rows == MAX_MODELS
            assert "Left out: 100 quieter models." in tab.evaluate("document.body.innerText")
            assert tab.evaluate("document.querySelectorAll('*').length") < 20_000
            assert tab.evaluate("document.documentElement.scrollWidth") == width
            shown = tab.evaluate("document.querySelectorAll('#episodes > .fill > ol li').length")
            assert shown <= 6
            assert tab.errors == []
    finally:
        server.close()
