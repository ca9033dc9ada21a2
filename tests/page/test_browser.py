"""The live page and a report in a real browser: they show what they should, without complaint.

Pictures are written to the folder that DRIFTSTREAM_SCREENSHOTS names, else to pytest's own.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stream.alerts.silences import Silence
from stream.contracts.acks import make_ack
from stream.decode.record import FileRecord
from stream.metrics import MetricsCollector, serve
from stream.page import RecentEpisodes, live_pages
from stream.plans.plan import PlanBook
from stream.replay import Replay
from tests.page.live import DRAWN, Worker, each_size, write_report
from tests.page.test_page import state_with_secrets
from tests.page.test_versions import two_versions
from tests.stream.metrics.test_metrics import FileState
from tests.stream.report.test_report import HOSTILE, hostile_events, hostile_plan

Open = Callable[..., Any]
NAMED = ("table", "image", "link", "button", "region")


def size_of(png: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def check_look(tab: Any, picture: Path, width: int, dark: bool) -> list[tuple[str, str]]:
    """As wide as the window, dark or light, without complaint; gives what a reader is told."""
    picture = picture.with_name(f"{picture.name}-{width}-{'dark' if dark else 'light'}.png")
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    assert size_of(tab.screenshot(picture))[0] == width
    small = tab.evaluate(
        "[...document.querySelectorAll('text, p, td, th, dd, li')]"
        ".filter((e) => e.checkVisibility() && parseFloat(getComputedStyle(e).fontSize) < 11)"
        ".map((e) => e.textContent)"
    )
    assert small == []
    assert (luminance(tab) < 60) == dark
    told: list[tuple[str, str]] = tab.accessible()
    assert all(name for role, name in told if role in NAMED)
    assert tab.errors == [], "the policy lets its own style through"
    return told


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.server.close()


def luminance(tab: Any) -> float:
    colour = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in colour[4:-1].split(",")) / 3


def check_own(tab: Any, worker: Worker) -> None:
    """It complained of nothing and asked for nothing from elsewhere."""
    assert tab.errors == []
    assert all(url.startswith((worker.url, "data:")) for url in tab.requests)


@each_size
def test_the_live_page(
    browser: Open, worker: Worker, pictures: Path, width: int, dark: bool
) -> None:
    worker.feed(3_000)
    with browser(worker.url, width=width, dark=dark) as tab:
        tab.wait_for(DRAWN)
        told = check_look(tab, pictures / "page", width, dark)
        shown = tab.evaluate("document.body.innerText")
        for words in ("fraud v1", "data drift", "critical", "Signals of fraud v1", "region=eu"):
            assert words.lower() in shown.lower(), words
        rows = tab.evaluate(
            "document.querySelectorAll('#signals > .fill > .scroll tbody tr').length"
        )
        assert rows == 4
        assert tab.evaluate("document.querySelectorAll('#signals svg.bars rect.win').length") > 40
        assert tab.evaluate("document.querySelectorAll('#episodes svg.timeline rect').length") > 1
        roles = {role for role, _ in told}
        assert roles >= {"main", "banner", "contentinfo", "table", "heading", "status", "button"}
        assert any(role == "image" and name.startswith("Distribution of x.") for role, name in told)
        check_own(tab, worker)


@each_size
def test_an_episode_leads_to_its_runbook(
    browser: Open, worker: Worker, pictures: Path, width: int, dark: bool
) -> None:
    worker.feed(3_000)
    with browser(worker.url, width=width, dark=dark) as tab:
        tab.wait_for(DRAWN)
        address = tab.evaluate("document.querySelector('#episodes a[href*=runbooks]').href")
    with browser(address, width=width, dark=dark) as tab:
        tab.wait_for("document.querySelector('main.runbook h1') !== null")
        told = check_look(tab, pictures / "runbook", width, dark)
        assert tab.evaluate("document.querySelector('main h1').textContent") == "Data drift"
        assert {role for role, _ in told} >= {"main", "banner", "navigation", "heading", "list"}
        check_own(tab, worker)


@each_size
def test_a_signal_has_a_page(
    browser: Open, worker: Worker, pictures: Path, width: int, dark: bool
) -> None:
    worker.feed(3_000)
    with browser(worker.url, width=width, dark=dark) as tab:
        tab.wait_for(DRAWN)
        links = tab.evaluate(
            "[...document.querySelectorAll('#signals a')].filter((a) => a.textContent === 'x')"
            ".map((a) => a.href)"
        )
        folded = tab.evaluate("document.querySelector('#episodes details a').href")
        assert "&signal=" in folded
        summary = tab.evaluate("document.querySelector('#episodes summary').textContent")
        assert "fraud v1" in summary
        assert tab.evaluate("!document.querySelector('#episodes details').open")
        if width < 600:
            top = tab.evaluate("document.querySelector('#models').getBoundingClientRect().top")
            assert top < 2 * 844, "models begin within two screens of a phone"
    assert len(set(links)) == 1
    with browser(links[0], width=width, dark=dark) as tab:
        tab.wait_for(DRAWN)
        told = check_look(tab, pictures / "signal", width, dark)
        assert tab.evaluate("document.querySelector('h1').textContent").startswith("x ")
        names = [name for role, name in told if role == "image"]
        assert any(name.startswith("Mean rank of x. ") for name in names)
        assert any(name.startswith("Distribution of x. ") for name in names)
        areas = tab.evaluate(
            "[...document.querySelectorAll('#now svg.density rect.win')]"
            ".map((r) => parseFloat(r.getAttribute('width')) * r.getAttribute('height'))"
        )
        shares = tab.evaluate(
            "fetch('api/v1/signal' + location.search).then((a) => a.json())"
            ".then((state) => state.signal.bars.shape.boxes.map((box) => box.window))"
        )
        assert [area / sum(areas) for area in areas] == pytest.approx(shares, abs=1e-3)
        assert tab.evaluate("document.querySelectorAll('#episodes li').length") >= 1
        check_own(tab, worker)


def with_many_episodes(worker: Worker, n: int) -> str:
    """So many fire, each told in a long sentence; that sentence."""
    first = worker.state.first
    assert first is not None
    said = f"{'fraud v1: Data drift: mean of a_rather_long_name_of_a_feature 1 -> 2, ' * 3}at once."
    for i in range(n):
        notes = msgspec.structs.replace(
            first.data.annotations, summary=f"{said} Recommended action: look at it."
        )
        data = msgspec.structs.replace(first.data, episode=f"{i:032x}", annotations=notes)
        worker.state.recent.note(msgspec.structs.replace(first, data=data))
    return said.replace("->", "→")


@pytest.mark.parametrize("width", [1440, 390])
def test_sentences_are_whole_and_models_begin_within_two_screens(
    browser: Open, worker: Worker, width: int
) -> None:
    worker.feed(3_000)
    said = with_many_episodes(worker, 12)
    with browser(worker.url, width=width) as tab:
        tab.wait_for(DRAWN)
        shown = tab.evaluate(
            "[...document.querySelectorAll('#episodes > .fill > ol .line')].map((e) => e.innerText)"
        )
        assert said in shown
        assert len(shown) < 12, "the others are folded"
        cut = tab.evaluate(
            "[...document.querySelectorAll('#episodes summary')].filter((e) => e.checkVisibility()"
            " && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1)).length"
        )
        assert cut == 0
        assert "Recommended action" not in tab.evaluate("document.body.innerText")
        tab.evaluate("document.querySelector('#episodes details').open = true")
        assert "Recommended action" in tab.evaluate("document.body.innerText")
        tab.evaluate("document.querySelector('#episodes details').open = false")
        top = tab.evaluate("document.querySelector('#models').getBoundingClientRect().top")
        assert top < 2 * 844
        assert tab.errors == []


def test_acks_and_silences_are_shown(browser: Open, worker: Worker) -> None:
    worker.feed(3_000)
    now_ms = round(time.time() * 1000)
    state = worker.state
    alert = state.first
    assert alert is not None
    (row,) = [row for row in state.recent.rows() if not row.ends]
    data = msgspec.structs.replace(alert.data, episode=row.id)
    firing = msgspec.structs.replace(alert, data=data)
    hour = 3_600_000
    state.recent.hear(make_ack(firing, now_ms - hour, now_ms + hour, "anna", "<b>known</b>"))
    state.silences = (
        Silence(models=("other",), start_ms=0, end_ms=now_ms + hour, reason="moving house"),
    )
    with browser(worker.url) as tab:
        tab.wait_for(DRAWN)
        assert tab.evaluate("document.querySelector('#quiet').innerText").startswith("1 acknow")
        assert "acknowledged" in tab.evaluate("document.querySelector('#episodes ol li').innerText")
        silences = tab.evaluate("document.querySelector('.silences').innerText")
        assert "other, all kinds: until" in silences
        assert "moving house" in silences
        tab.evaluate("document.querySelector('#episodes details').open = true")
        told = tab.evaluate("document.querySelector('#episodes details').innerText")
        assert "Acknowledged by anna" in told
        assert "“<b>known</b>”" in told
        state.recent.hear(make_ack(firing, now_ms, now_ms, "ben"))
        tab.wait_for("document.querySelector('#quiet').innerText === ''")
        tab.evaluate("document.querySelector('#episodes details').open = true")
        told = tab.evaluate("document.querySelector('#episodes details').innerText")
        assert "taken back by ben" in told
        words = tab.evaluate("document.body.innerText")
        assert "of the alerts topic" not in words
        assert "not shown" not in words
        assert "no alert is known" not in words
        state.alerts_unread = "user 'x' lacks READ"
        state.alerts_lost = 3
        tab.wait_for("document.body.innerText.includes('not shown: user')")
        tab.wait_for("document.body.innerText.includes('3 records of the alerts topic could not')")
        state.recent = RecentEpisodes()
        tab.wait_for("document.body.innerText.includes('1 episode fires of which no alert')")
        state.recent.hear(alert)
        assert tab.errors == []
    with browser(f"{worker.url}signal?model=fraud&version=1&signal=x") as tab:
        tab.wait_for(DRAWN)
        words = tab.evaluate("document.body.innerText")
        assert "not shown: user" in words
        assert "3 records of the alerts topic could not" in words
        assert tab.errors == []


def test_versions_stand_side_by_side(browser: Open) -> None:
    state = two_versions("1", "2")
    server = serve("127.0.0.1:0", MetricsCollector(state), state, live_pages(state))
    try:
        for width in (1440, 390):
            with browser(f"http://127.0.0.1:{server.port}/", width=width) as tab:
                tab.wait_for(DRAWN)
                assert tab.evaluate("document.documentElement.scrollWidth") == width
                heads = tab.evaluate(
                    "[...document.querySelectorAll('#versions thead th')].map((e) => e.innerText)"
                )
                assert sorted(heads) == ["fraud v1", "fraud v2", "signal"]
                rows = tab.evaluate("document.querySelectorAll('#versions tbody tr').length")
                assert rows == 4
                tab.evaluate("document.querySelector('#to-versions').click()")
                assert tab.evaluate("location.hash") == "#versions"
                assert tab.errors == []
    finally:
        server.close()


@pytest.mark.parametrize("private", [True, False])
def test_what_a_private_model_hides_is_said(browser: Open, private: bool) -> None:
    state = state_with_secrets(private=private)
    server = serve("127.0.0.1:0", MetricsCollector(state), state, live_pages(state))
    try:
        for path, place in (("", "#signals"), ("signal?model=fraud&version=1&signal=x", "#trend")):
            with browser(f"http://127.0.0.1:{server.port}/{path}") as tab:
                tab.wait_for(DRAWN)
                shown = tab.evaluate(f"document.querySelector('{place}').innerText")
                assert ("The model is private" in shown) == private
                assert "null" not in tab.evaluate("document.body.innerText")
                assert tab.errors == []
    finally:
        server.close()


def test_names_are_shown_and_never_run(browser: Open) -> None:
    book = PlanBook()
    book.add(hostile_plan())
    state = FileState(Replay(book))
    records = (FileRecord(i, 0, value) for i, value in enumerate(hostile_events(1_500)))
    for alert in state.replay.run(records):
        state.count(alert)
    server = serve("127.0.0.1:0", MetricsCollector(state), state, live_pages(state))
    try:
        with browser(f"http://127.0.0.1:{server.port}/") as tab:
            tab.wait_for(DRAWN)
            assert HOSTILE in tab.evaluate("document.body.innerText")
            assert tab.evaluate("document.querySelectorAll('main img, main script').length") == 0
            assert tab.errors == []
    finally:
        server.close()


def test_a_worker_of_the_first_stage_says_what_it_is(browser: Open, worker: Worker) -> None:
    worker.state.stage = "summarise"
    with browser(worker.url) as tab:
        tab.wait_for(DRAWN)
        assert "only counts" in tab.evaluate("document.querySelector('h1').innerText")


def test_it_follows_the_worker(browser: Open, worker: Worker) -> None:
    with browser(worker.url) as tab:
        tab.evaluate("window.marked = true")
        tab.wait_for(DRAWN)
        assert "No model has sent events yet" in tab.evaluate("document.body.innerText")
        worker.feed(1_400)
        tab.wait_for("document.querySelector('#headline').innerText === 'All quiet'")
        worker.feed(2_000)
        tab.wait_for("document.querySelector('#headline').innerText.includes('firing')")
        assert tab.evaluate("document.title").endswith("driftstream")
        assert tab.evaluate("window.marked"), "it was not loaded anew"
        assert tab.errors == []


def test_it_stops_when_asked_and_says_when_the_worker_is_gone(
    browser: Open, worker: Worker
) -> None:
    worker.feed(1_000)
    with browser(worker.url) as tab:
        tab.wait_for(DRAWN)
        tab.evaluate("document.querySelector('#pause').click()")
        assert tab.evaluate("document.querySelector('#pause').getAttribute('aria-pressed')")
        seen = tab.evaluate(DRAWN)
        tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        assert tab.evaluate(DRAWN) == seen
        worker.server.close()
        tab.evaluate("document.querySelector('#pause').click()")
        tab.wait_for("document.querySelector('#status').innerText.includes('does not answer')")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(tmp_path_factory.mktemp("report") / "report.html")


@each_size
def test_a_report(browser: Open, report: Path, pictures: Path, width: int, dark: bool) -> None:
    with browser(report.as_uri(), width=width, dark=dark) as tab:
        told = check_look(tab, pictures / "report", width, dark)
        assert {role for role, _ in told} >= {"main", "banner", "navigation", "table", "image"}
        assert tab.requests == [report.as_uri()]
