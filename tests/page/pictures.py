"""`python -m tests.page.pictures [FOLDER]`: the pictures of docs/images, drawn anew.

The live page, a signal's, that of a model with outcomes, and a report, each 1440 and 390 pixels
wide, in light and dark. Look at each before it is committed. With FOLDER they are written there
whole, as PNG.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import islice
from pathlib import Path

from stream.http.server import PageServer
from stream.metrics import MetricsCollector, serve
from stream.page import asset, live_pages
from stream.report import render
from tests.page.browser import find_browser, open_browser
from tests.page.live import DRAWN, SIZES
from tests.page.scene import END_S, report_of, scene
from tests.page.test_outcomes import state_of
from tests.stream import all_kinds
from tests.stream.metrics.test_metrics import FileState

#: How much of a page documents show.
HEIGHT = {1440: 2_300, 390: 2_800}
IMAGES = Path(__file__).parents[2] / "docs" / "images"


def unequal() -> list[bytes]:
    """Events until people are treated unequally."""
    return list(islice(all_kinds.events(), all_kinds.UNEQUAL.stop))


def served(state: FileState, now_s: int) -> PageServer:
    """A worker's pages, at a set time."""
    pages = live_pages(state, clock=lambda: now_s)
    return serve("127.0.0.1:0", MetricsCollector(state), state, pages)


def write_report(path: Path) -> str:
    """The report of a replay; its address."""
    report, rows = report_of("fraud")
    path.write_text(render(report, asset("style.css").decode(), rows))
    return path.as_uri()


def draw(folder: Path, form: str) -> None:
    """All pictures into a folder."""
    executable = find_browser()
    if executable is None:
        sys.exit("no browser: install Debian's chromium-headless-shell or chromium")
    state, (of_outcomes, _) = scene(), state_of(all_kinds.plan(), unequal())
    end_s = all_kinds.START_S + 60 * all_kinds.UNEQUAL.stop
    servers = [served(state, END_S), served(of_outcomes, end_s)]
    url, outcomes = (f"http://127.0.0.1:{server.port}/" for server in servers)
    with tempfile.TemporaryDirectory() as made, open_browser(executable) as browser:
        pages = {
            "page": url,
            "signal": f"{url}signal?model=fraud&version=4&signal=amount",
            "outcomes": outcomes,
            "report": write_report(Path(made) / "report.html"),
        }
        for name, address in pages.items():
            for width, dark in SIZES:
                path = folder / f"{name}-{width}-{'dark' if dark else 'light'}.{form}"
                with browser(address, width=width, dark=dark) as tab:
                    if name != "report":
                        tab.wait_for(DRAWN)
                    tab.screenshot(path, HEIGHT[width] if form == "webp" else None)
                print(path, f"{path.stat().st_size / 1000:.0f} kB")
    for server in servers:
        server.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        draw(Path(sys.argv[1]), "png")
    else:
        draw(IMAGES, "webp")
