"""The page draws the rates of protected columns, and an episode of fairness leads to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stream.http.server import PageServer
from stream.metrics import MetricsCollector, serve
from stream.page import live_pages
from tests.page.live import DRAWN, each_size
from tests.page.test_outcomes import state_of
from tests.stream.harness import make_events, make_plan, make_reference

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    reference = make_reference(n=6_000, outcomes=True, protected=("region",))
    plan = make_plan(reference=reference, window_events=1_000, protected=("region",))
    events = make_events(3, 4_000, drift_at=2_000, outcomes=True, unequal=True)
    state, alerts = state_of(plan, events)
    assert "fairness" in {alert.data.labels.kind for alert in alerts}
    server = serve("127.0.0.1:0", MetricsCollector(state), state, live_pages(state))
    yield server
    server.close()


@each_size
def test_rates_by_value_and_what_is_apart(
    browser: Open, server: PageServer, width: int, dark: bool
) -> None:
    url = f"http://127.0.0.1:{server.port}/"
    with browser(url, width=width, dark=dark) as tab:
        tab.wait_for(DRAWN)
        assert tab.errors == []
        text = tab.evaluate("document.getElementById('outcomes').innerText")
        assert "Fairness by region" in text
        assert "Rates by value of region" in text
        assert "region=us" in text
        assert "demographic parity differs by" in text
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        find = "[...document.querySelectorAll('#episodes .links a')]"
        find += ".find((a) => a.textContent === 'demographic parity by region')"
        address = tab.evaluate(f"{find}.href")
    assert address.endswith("?model=fraud&version=1#outcomes")
