"""axe-core finds nothing wrong with the pages and the report, in light and dark, wide and narrow.

`make axe` installs it by npm, pinned and hash-checked; without it these tests skip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.page.live import DRAWN, Worker, each_size, write_report

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
    worker = Worker()
    worker.feed(3_000)
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
