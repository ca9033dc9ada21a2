"""axe-core finds nothing wrong with the pages and the report, in light and dark, wide and narrow.

`make axe` installs it by npm, pinned and hash-checked; without it these tests skip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stream.alerts.silences import Silence
from stream.contracts.acks import make_ack
from stream.metrics import MetricsCollector, serve
from stream.page import live_pages
from tests.page.live import DRAWN, Worker, each_size, write_report
from tests.page.test_outcomes import EVENTS, state_of
from tests.page.test_outcomes import plan as with_outcomes
from tests.page.test_versions import two_versions

Open = Callable[..., Any]
AXE = Path(__file__).parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"
#: All rules that decide something of a page as it is; what is folded is looked at too.
RUN = """
document.querySelectorAll("details").forEach((each) => { each.open = true; });
axe.run(document, {resultTypes: ["violations"]}).then(({violations, passes, incomplete}) => ({
  violations: violations.flatMap(({id, help, nodes}) =>
    nodes.map((node) => `${id}: ${help}: ${node.html.slice(0, 200)} ${node.failureSummary}`)),
  passes: passes.map(({id}) => id),
  undecided: incomplete.map(({id}) => id),
}))
"""


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists():
        pytest.skip("no axe-core: `make axe` installs it, and needs npm")
    return AXE.read_text()


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """After drift, with an episode that is acknowledged and silenced."""
    worker = Worker()
    worker.feed(3_000)
    state, until_ms = worker.state, 4_000_000_000_000
    first = state.first
    assert first is not None
    for row in state.recent.rows():
        data = msgspec.structs.replace(first.data, episode=row.id)
        of_row = msgspec.structs.replace(first, data=data)
        state.recent.hear(make_ack(of_row, 0, until_ms, "anna", "known"))
    state.silences = (Silence(start_ms=0, end_ms=until_ms, reason="moving house"),)
    state.alerts_unread = "user 'x' lacks READ"
    yield worker
    worker.server.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(tmp_path_factory.mktemp("report") / "report.html").as_uri()


def judged(tab: Any, axe: str) -> dict[str, list[str]]:
    tab.evaluate(f"{axe}; 0")
    found: dict[str, list[str]] = tab.evaluate(RUN)
    return found


@each_size
@pytest.mark.parametrize("path", ["", "signal?model=fraud&version=1&signal=x"])
def test_pages(browser: Open, worker: Worker, axe: str, path: str, width: int, dark: bool) -> None:
    with browser(worker.url + path, width=width, dark=dark) as tab:
        tab.wait_for(DRAWN)
        found = judged(tab, axe)
        assert found["violations"] == []
        assert {"color-contrast", "region", "svg-img-alt"} <= {*found["passes"]}


@each_size
def test_runbooks(browser: Open, worker: Worker, axe: str, width: int, dark: bool) -> None:
    for path in ("runbooks/", "runbooks/data_drift"):
        with browser(worker.url + path, width=width, dark=dark) as tab:
            found = judged(tab, axe)
            assert found["violations"] == []
            assert {"color-contrast", "region"} <= {*found["passes"]}


@each_size
def test_a_report(browser: Open, report: str, axe: str, width: int, dark: bool) -> None:
    with browser(report, width=width, dark=dark) as tab:
        found = judged(tab, axe)
        assert found["violations"] == []
        assert {"color-contrast", "region", "svg-img-alt"} <= {*found["passes"]}


@pytest.mark.parametrize("width", [1440, 390])
def test_versions_side_by_side(browser: Open, axe: str, width: int) -> None:
    state = two_versions("1", "2")
    server = serve("127.0.0.1:0", MetricsCollector(state), state, live_pages(state))
    try:
        with browser(f"http://127.0.0.1:{server.port}/", width=width) as tab:
            tab.wait_for(DRAWN)
            assert judged(tab, axe)["violations"] == []
    finally:
        server.close()


def test_what_is_wrong_is_found(browser: Open, worker: Worker, axe: str) -> None:
    with browser(worker.url) as tab:
        tab.wait_for(DRAWN)
        tab.evaluate(
            "document.querySelector('#content svg[role=img]').removeAttribute('aria-label')"
        )
        tab.evaluate("document.querySelectorAll('svg title, svg desc').forEach((e) => e.remove())")
        tab.evaluate("document.querySelector('h1').style.color = '#eeeeee'")
        ids = {words.partition(":")[0] for words in judged(tab, axe)["violations"]}
        assert ids >= {"color-contrast", "svg-img-alt"}


@each_size
def test_outcomes(browser: Open, axe: str, width: int, dark: bool) -> None:
    state, _ = state_of(with_outcomes(), EVENTS)
    server = serve("127.0.0.1:0", MetricsCollector(state), state, live_pages(state))
    try:
        with browser(f"http://127.0.0.1:{server.port}/", width=width, dark=dark) as tab:
            tab.wait_for(DRAWN)
            assert tab.evaluate("document.getElementById('outcomes').hidden") is False
            assert judged(tab, axe)["violations"] == []
    finally:
        server.close()
