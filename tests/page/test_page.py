"""What the live page is told: true, bounded, private where it has to be, and never in the way."""

from __future__ import annotations

import html
import json
import re
import shutil
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import msgspec
import numpy as np
import pytest

from detectors import fit_reference
from detectors.figures import figure, percent
from stream.alerts.sentences import TEST_TEXT
from stream.contracts.alert_event import RelatedEpisode, RelatedSignal
from stream.decode.record import FileRecord
from stream.http.server import PageServer
from stream.metrics import MetricsCollector, serve
from stream.page import RecentEpisodes, live_pages
from stream.page.detail import MAX_HISTOGRAMS, MAX_SIGNALS
from stream.page.page_model import MAX_EPISODES, page_model_of
from stream.page.runbooks import runbook_html
from stream.page.signal import signal_state
from stream.plans.plan import PlanBook
from stream.replay import Replay
from stream.report.words import ratio
from stream.report.words import test_name as name_of_test
from stream.runbooks import runbooks
from stream.text.counted import counted
from stream.text.printable import printable
from tests.stream.harness import START_S, make_events, make_plan
from tests.stream.metrics.test_metrics import FileState

STATIC = Path(__file__).parents[2] / "stream" / "page" / "static"


def state_after(events: list[bytes], **plan: Any) -> FileState:
    book = PlanBook()
    book.add(make_plan(**plan))
    state = FileState(Replay(book))
    for alert in state.replay.run(FileRecord(i, 0, value) for i, value in enumerate(events)):
        state.count(alert)
    return state


SECRETS = ("SECRET", "HIDDEN", "777", "779")


def state_with_secrets(*, private: bool) -> FileState:
    """After drift of a model whose values, names and segments are `SECRETS`."""
    rng = np.random.default_rng(0)
    data = {"x": rng.normal(777, 1, 3000), "c": rng.choice(["SECRET", "b"], 3000).tolist()}
    reference = fit_reference(data, model="fraud", version="", times_ms=None, segments=())
    events = [
        msgspec.json.encode(
            {
                "model": {"name": "fraud", "version": "1"},
                "timestamp": 1_000_000 + i,
                "features": {"x": float(rng.normal(779, 1)), "c": "b"},
                "segments": {"region": "HIDDEN"},
            }
        )
        for i in range(1_500)
    ]
    return state_after(events, reference=reference, signals={}, private=private)


@pytest.fixture(scope="module")
def state() -> FileState:
    return state_after(make_events(3, 3_000, drift_at=2_400))


@pytest.fixture(scope="module")
def server(state: FileState) -> Iterator[PageServer]:
    pages = live_pages(state)
    server = serve("127.0.0.1:0", MetricsCollector(state), state, pages)
    yield server
    server.close()


def get(server: PageServer, path: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def test_the_state_is_what_the_monitors_say(state: FileState, server: PageServer) -> None:
    said = json.loads(get(server, "/api/v1/state")[2])
    (held,) = state.replay.monitor.subjects.values()
    (row,) = said["models"]
    assert (row["model"], row["version"], row["state"]) == ("fraud", "1", "watching")
    assert row["firing"] == sorted(held.episodes.active)
    assert row["judgedUntil"] == held.frontier_ms
    assert 0.0 < row["inAlarm"] == held.alarms.ratio
    detail = said["detail"]
    signals = detail["signals"]
    assert signals[0]["name"] == "x"
    assert row["worst"] == signals[0]["ratio"] > 1
    assert [s["ratio"] for s in signals] == sorted((s["ratio"] for s in signals), reverse=True)
    assert {s["name"] for s in signals} == {"x", "z", "c", "score"}
    assert sum(signals[0]["bars"]["window"]) == pytest.approx(1, abs=1e-4)
    assert held.detection is not None
    assert detail["events"] == held.detection.windows.last[""].events
    assert {s["segment"] for s in detail["segments"]} == {"region=eu", "region=us"}
    first = state.first
    assert first is not None
    episodes = {row["id"]: row for row in said["episodes"]}
    assert first.data.episode in episodes
    assert len(episodes) == state.opened
    assert said["ready"] is True
    assert said["lag"] == 7
    assert said["counted"] == 3_000
    assert said["newest"] == (START_S + 2_999) * 1000


def test_a_model_is_chosen_by_name(state: FileState) -> None:
    chosen = page_model_of(state, "fraud", "1", 0).detail
    assert chosen is not None
    assert chosen.version == "1"
    assert page_model_of(state, "nobody", "", 0).detail == chosen, (
        "the loudest, where there is no such"
    )


def test_files_and_headers(server: PageServer) -> None:
    for path in STATIC.iterdir():
        pages = {"index.html": "/", "signal.html": "/signal"}
        address = pages.get(path.name, f"/static/{path.name}")
        status, headers, body = get(server, address)
        assert (status, body) == (200, path.read_bytes())
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert get(server, "/static/../pages.py")[0] == 404
    assert get(server, f"/api/v1/state?model={'x' * 600}")[0] == 400
    assert get(server, "/api/v1/state?" + "a=1&" * 50)[0] == 200
    assert get(server, "/metrics")[0] == 200


@pytest.mark.parametrize("name", runbooks())
def test_runbooks_are_pages(server: PageServer, name: str) -> None:
    status, headers, body = get(server, f"/runbooks/{name}")
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    text = body.decode()
    assert f"<h1>{html.escape(runbooks()[name].title)}</h1>" in text
    assert "style=" not in text
    assert "://" not in text
    shown = re.sub(r"<[^>]+>", "", text)
    for line in runbooks()[name].text.splitlines():
        if line.startswith("## "):
            assert line[3:] in shown
    assert get(server, f"/runbooks/{name}.md")[2] == body, "as the Prometheus rules name it"
    for target in re.findall(r'href="([^"#][^"]*)"', text):
        if target != "data:,":
            assert get(server, urljoin(f"/runbooks/{name}", target))[0] == 200, target


def test_the_list_of_runbooks_leads_to_each(server: PageServer) -> None:
    status, _, body = get(server, "/runbooks/")
    assert status == 200
    targets = set(re.findall(r'href="([\w-]+)"', body.decode()))
    assert targets == set(runbooks())
    assert get(server, "/runbooks")[2] == body, "led there, as links are relative"
    status, _, words = get(server, "/runbooks/nothing")
    assert (status, b"/runbooks" in words) == (404, True)


def test_an_episode_links_to_its_runbook(server: PageServer) -> None:
    rows = json.loads(get(server, "/api/v1/state")[2])["episodes"]
    assert rows
    assert {row["runbook"] for row in rows} == {f"runbooks/{row['kind']}" for row in rows}
    assert all(get(server, f"/{row['runbook']}")[0] == 200 for row in rows)


def test_documents_that_are_not_there_are_named_and_not_linked() -> None:
    text = runbook_html("data_drift").decode()
    assert "docs/operations.md" in text
    assert 'href="../operations.md"' not in text


def test_files_name_nothing_elsewhere() -> None:
    for path in STATIC.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, path
        assert "innerHTML" not in text, path
        assert "style=" not in text, path


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, by WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_contrast(scheme: str) -> None:
    """4.5 for text, 3 for what is drawn: WCAG 2, level AA."""
    sheet = (STATIC / "style.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", sheet, re.S)
    colours = dict(re.findall(r"--(\w+): (#\w{6})", blocks[scheme == "dark"]))

    def contrast(a: str, b: str) -> float:
        light, dark = sorted((luminance(colours[a]), luminance(colours[b])), reverse=True)
        return (light + 0.05) / (dark + 0.05)

    for text in ("ink", "soft", "link"):
        assert contrast(text, "paper") >= 4.5, text
        assert contrast(text, "ground") >= 4.5, text
    for pill in ("info", "warning", "critical", "resolved"):
        assert contrast("on", pill) >= 4.5, pill
        assert contrast(pill, "track") >= 3, pill
    assert contrast("win", "paper") >= 3
    assert contrast("win", "ref") >= 3


def test_the_work_is_bounded() -> None:
    rng = np.random.default_rng(0)
    names = [f"f{i}" for i in range(200)]
    data = {name: rng.normal(size=1_000) for name in names}
    reference = fit_reference(data, model="wide", version="", times_ms=None, segments=())
    events = [
        msgspec.json.encode(
            {
                "model": {"name": "wide", "version": ""},
                "timestamp": 1_000_000 + i,
                "features": {name: float(rng.normal()) for name in names},
            }
        )
        for i in range(300)
    ]
    state = state_after(events, model="wide", reference=reference, signals={}, segments=())
    detail = page_model_of(state, "", "", 0).detail
    assert detail is not None
    assert len(detail.signals) == MAX_SIGNALS
    assert detail.more_signals == 200 - MAX_SIGNALS
    of = signal_state(state, detail.model, detail.version, "f0", 0)
    assert of.found
    assert len(of.others) + of.more_others == 199
    assert of.more_others > 0
    assert sum(signal.bars is not None for signal in detail.signals) == MAX_HISTOGRAMS


def test_private_models_show_shapes_only() -> None:
    state = state_with_secrets(private=True)
    text = msgspec.json.encode(page_model_of(state, "", "", 0)).decode()
    for hidden in SECRETS:
        assert hidden not in text
    shown = msgspec.json.encode(
        page_model_of(state_with_secrets(private=False), "", "", 0)
    ).decode()
    for told in SECRETS:
        assert told in shown
    detail = page_model_of(state, "", "", 0).detail
    assert detail is not None
    assert detail.signals[0].bars is not None
    assert detail.signals[0].bars.window


def test_a_crowd_costs_what_one_reader_does(state: FileState) -> None:
    reads = 0

    class Counting(FileState):
        def ready(self) -> tuple[bool, str]:
            nonlocal reads
            reads += 1
            return True, ""

    now = [100.0]
    status = Counting(state.replay)
    server = PageServer("127.0.0.1:0", live_pages(status, clock=lambda: now[0]))
    try:
        threads = [threading.Thread(target=get, args=(server, "/api/v1/state")) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert reads == 1
        now[0] += 2
        get(server, "/api/v1/state")
        assert reads == 2
        for i in range(40):
            get(server, f"/api/v1/state?model=m{i}")
        get(server, "/api/v1/state?model=m39")
        assert reads == 42
    finally:
        server.close()


def test_a_reader_that_does_not_read_holds_nobody_up(server: PageServer) -> None:
    stuck = []
    try:
        for _ in range(5):
            each = socket.create_connection(("127.0.0.1", server.port))
            each.sendall(b"GET /api/v1/state HTTP/1.1\r\nHost: x\r\n")  # and never the end
            stuck.append(each)
        assert get(server, "/api/v1/state")[0] == 200
    finally:
        for each in stuck:
            each.close()


def test_before_the_first_event() -> None:
    state = state_after([])
    said = page_model_of(state, "", "", 5)
    assert (said.models, said.detail, said.episodes) == ([], None, [])


def test_recent_episodes_are_bounded_and_ordered(state: FileState) -> None:
    first = state.first
    assert first is not None
    status = state_after([])
    recent = status.recent
    for i in range(500):
        data = msgspec.structs.replace(
            first.data,
            episode=f"{i:032x}",
            severity=("info", "critical")[i % 2],
            starts_at=f"2026-01-01T00:00:00.{i:03d}Z",
        )
        recent.note(msgspec.structs.replace(first, data=data))
        recent.note(msgspec.structs.replace(first, data=data))
    rows = recent.rows()
    assert len(rows) == 400
    said = page_model_of(status, "", "", 0)
    assert said.episodes == rows[:MAX_EPISODES]
    assert said.more_episodes == 400 - MAX_EPISODES
    assert [row.severity for row in rows] == ["critical"] * 200 + ["info"] * 200
    over = msgspec.structs.replace(
        first.data,
        episode=rows[0].id,
        status="resolved",
        revision=9,
        ends_at="2026-01-02T00:00:00.000Z",
    )
    recent.note(msgspec.structs.replace(first, data=over))
    assert recent.rows()[-1].id == rows[0].id


def test_an_episode_keeps_what_its_revisions_named(state: FileState) -> None:
    first = state.first
    assert first is not None
    recent = RecentEpisodes()
    for revision, name, other in ((1, "x", 7), (2, "z", 8), (3, "x", 7)):
        data = msgspec.structs.replace(
            first.data,
            revision=revision,
            signals=[msgspec.structs.replace(first.data.signals[0], name=name, segment="a=b")],
            related=[
                RelatedEpisode(
                    f"{other:032x}",
                    "data_quality",
                    "2026-03-01T10:02:00.000Z",
                    [RelatedSignal("y", None, 0.1 * revision)],
                )
            ],
        )
        recent.note(msgspec.structs.replace(first, data=data))
    (row,) = recent.rows()
    assert row.names == ["x", "z"]
    assert row.signals == ["x (a=b)"], "of the last revision"
    words = "data quality problem since 2026-03-01 10:02 UTC: 'y' explains up to"
    assert row.related == [(f"{7:032x}", f"{words} 30 %"), (f"{8:032x}", f"{words} 20 %")]


def test_models_that_are_not_tested_say_why() -> None:
    state = state_after(make_events(3, 400), calibrate_ms=7 * 86_400_000)
    said = page_model_of(state, "", "", 0)
    assert (said.models[0].state, said.models[0].collected) == ("calibrating", 400)
    assert said.detail is None
    (held,) = state.replay.monitor.subjects.values()
    while not held.is_idle:
        held.release()
    row = page_model_of(state, "", "", 0).models[0]
    assert (row.state, row.collected, row.worst) == ("idle", 0, 0.0)


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js to run the page's script in")
def test_the_page_writes_names_and_numbers_as_python_does(tmp_path: Path) -> None:
    names = [
        "amount",
        "a\nb",
        "\x1b[2J",
        "a\u202eb",
        "x\u200by",
        "é 中文 🙂",
        "👩🏽\u200d🔬",
        "a\u200db",
        "\x9b",
    ]
    numbers = [
        0,
        -0.0,
        5e-324,
        12.5,
        0.03126,
        17_350.4,
        999.9996,
        1e12,
        1.5e16,
        1.234e-9,
        -12_345.6,
    ]
    shares, ratios, counts = (
        [0, 1, 0.99996, 0.123, 0.0004],
        [0.2, 0.996, 1, 9.4, 12.3, 2e4],
        [0, 1, 2_000],
    )
    tests = [*TEST_TEXT, "an_other"]
    (tmp_path / "package.json").write_text('{"type": "module"}')
    for name in ("draw.js", "histograms.js", "parts.js"):
        shutil.copy(STATIC / name, tmp_path)
    script = tmp_path / "run.js"
    script.write_text(
        'import { counted, figure, percent, printable, times } from "./draw.js";\n'
        'import { testName } from "./parts.js";\n'
        f"console.log(JSON.stringify([{json.dumps(names)}.map(printable), "
        f"{json.dumps(numbers)}.map(figure), {json.dumps(shares)}.map(percent), "
        f"{json.dumps(ratios)}.map(times), {json.dumps(tests)}.map(testName), "
        f"{json.dumps(counts)}.map((n) => counted(n, 'copy', 'copies'))]));\n"
    )
    done = subprocess.run(
        ["node", str(script)], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == [
        [printable(name) for name in names],
        [figure(number) for number in numbers],
        [percent(share) for share in shares],
        [ratio(value) for value in ratios],
        [name_of_test(test) for test in tests],
        [counted(n, "copy", "copies") for n in counts],
    ]
