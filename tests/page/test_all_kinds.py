"""The pages of a model of which everything goes wrong at once, with combinations of segments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest

from stream.http.server import PageServer
from stream.metrics import MetricsCollector, serve
from stream.page import live_pages
from tests.page.live import DRAWN, each_size
from tests.page.test_accessibility import axe, judged
from tests.page.test_outcomes import state_of
from tests.stream import all_kinds

__all__ = ["axe"]

Open = Callable[..., Any]
#: Of a usual phone.
SCREEN_PX = 844
WIDER = (
    "[...document.querySelectorAll('#outcomes .scroll')].map((each) => "
    "each.scrollWidth - each.clientWidth)"
)


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    """While women are treated unequally: six kinds of episodes fire."""
    events = list(islice(all_kinds.events(), all_kinds.UNEQUAL.stop))
    state, _ = state_of(all_kinds.plan(), events)
    server = serve("127.0.0.1:0", MetricsCollector(state), state, live_pages(state))
    yield server
    server.close()


def address(server: PageServer, signal: str = "") -> str:
    query = f"signal?model=credit-risk&version=2026-05&signal={signal}" if signal else ""
    return f"http://127.0.0.1:{server.port}/{query}"


@each_size
def test_it_can_be_read_on_a_phone(
    browser: Open, server: PageServer, width: int, dark: bool
) -> None:
    with browser(address(server), width=width, dark=dark) as tab:
        tab.wait_for(DRAWN)
        assert tab.evaluate("document.getElementById('models').offsetTop") < 2 * SCREEN_PX
        said = tab.evaluate("document.getElementById('outcomes').innerText")
        assert "equal opportunity differs by" in said
        assert "sex=F, age_band=60+" in said
        assert "predicted positive\tsex" not in said  # rates are folded
        tab.evaluate(
            "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
        )
        groups = tab.evaluate(
            "[...document.querySelectorAll('#outcomes details:last-of-type tr.group')]"
            ".map((each) => each.innerText)"
        )
        assert groups[-4:] == [
            "predicted positive",
            "error rate",
            "true positives",
            "false positives",
        ]
        assert set(tab.evaluate(WIDER)) == {0}  # nothing is cut off


@each_size
def test_axe(browser: Open, server: PageServer, axe: str, width: int, dark: bool) -> None:
    for signal in ("", "repaid+given+score"):
        with browser(address(server, signal), width=width, dark=dark) as tab:
            tab.wait_for(DRAWN)
            assert judged(tab, axe)["violations"] == []


@pytest.mark.parametrize(
    ("signal", "is_column"),
    [
        ("equal opportunity by sex", False),
        ("accuracy at least 0.7", False),
        ("repaid given score", False),
        ("score", True),
    ],
)
def test_what_is_no_column_says_so(
    browser: Open, server: PageServer, signal: str, is_column: bool
) -> None:
    with browser(address(server, signal.replace(" ", "+"))) as tab:
        tab.wait_for(DRAWN)
        assert tab.errors == []
        assert tab.evaluate("document.getElementById('apart').hidden") is is_column
        assert tab.evaluate("document.getElementById('episodes').hidden") is False
        said = tab.evaluate("document.body.innerText")
        assert "nothing was tested yet" not in said
        assert ("No column of the events" in said) is not is_column
        if not is_column:
            link = tab.evaluate("document.querySelector('#apart a').href")
            assert link.endswith("/?model=credit-risk&version=2026-05#outcomes")
