"""Reports: one file that needs nothing else, and in which no value becomes markup."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from detectors import fit_reference
from detectors.figures import percent
from stream.cli import cli
from stream.contracts.alert_event import AlertEvent, decode_alert, encode_alert
from stream.page import asset
from stream.plans.plan import Plan
from stream.replay import Replay
from stream.report import ReplayRecorder, phrases, render, report_of_episode
from stream.report.charts import HEAT_COLUMNS
from stream.report.from_alerts import episodes_of
from stream.report.html import tag
from stream.report.loudness import FOLLOWING
from stream.report.model import Signal
from stream.report.words import ratio
from tests.stream.harness import make_events, make_plan, replayed

CSS = asset("style.css").decode()
HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>"
#: msgspec takes no name of a member with quotation marks.
HOSTILE_NAME = HOSTILE.replace('"', "")
_VOID = {"meta", "br", "hr", "col"}


class Page(html.parser.HTMLParser):
    """Elements, attributes and text of a page; complains of what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> ends nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for element, attributes in self.elements if element == name]


def hostile_plan(**changes: Any) -> Plan:
    rng = np.random.default_rng(0)
    data = {HOSTILE_NAME: rng.normal(size=3000), "c": rng.choice([HOSTILE, "b"], 3000).tolist()}
    reference = fit_reference(data, model=HOSTILE, version="", times_ms=None, segments=())
    return make_plan(model=HOSTILE, reference=reference, signals={}, **changes)


def hostile_events(n: int) -> list[bytes]:
    rng = np.random.default_rng(1)
    return [
        msgspec.json.encode(
            {
                "model": {"name": HOSTILE, "version": HOSTILE},
                "timestamp": 1_000_000 + i,
                "features": {HOSTILE_NAME: float(rng.normal(2, 1)), "c": "b"},
                "segments": {"region": HOSTILE},
            }
        )
        for i in range(n)
    ]


@pytest.fixture(scope="module")
def run() -> tuple[ReplayRecorder, Replay, Plan]:
    plan = make_plan()
    return *replayed(plan, make_events(3, 3_000, drift_at=1_500)), plan


def page_of(recorder: ReplayRecorder, plan: Plan) -> Page:
    report = recorder.report(plan, "a.csv", 3_000, 0, 0, (1e-4, 1e-5))
    return Page(render(report, CSS, recorder.rows()))


def test_time_in_alarm_and_a_reference_that_never_fitted_are_told() -> None:
    plan = make_plan(window_events=400)
    recorder, replay = replayed(plan, make_events(3, 2_000, drift_at=0))
    (held,) = replay.monitor.subjects.values()
    of = held.alarms.in_alarm, held.alarms.panes
    report = recorder.report(plan, "a.csv", 2_000, 0, 0, (1e-4, 1e-5), in_alarm=of)
    text = Page(render(report, CSS, recorder.rows())).text
    assert f"of {of[1]:,} panes" in text
    assert percent(of[0] / of[1]) in text
    said = "Different from the reference from the start: x. Is it the right reference?"
    assert said in " ".join(text.split())
    (drift,) = (e for e in episodes_of(alerts_of(recorder)) if e.kind == "data_drift")
    assert drift.from_start == ("x",)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.5, "0.50×"),
        (0.996, "0.99×"),
        (1.0, "1.0×"),
        (9.4, "9.4×"),
        (12.3, "12×"),
        (2e4, "20,000×"),
    ],
)
def test_a_threshold_is_reached_in_words_only_if_it_is(value: float, said: str) -> None:
    assert ratio(value) == said


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (0.0, "by chance less than once in a billion"),
        (5.15e-58, "by chance less than once in a billion"),
        (1e-9, "by chance once in 1 billion"),
        (3e-6, "by chance once in 330,000"),
        (0.01, "by chance once in 100"),
        (1.0, "by chance always"),
    ],
)
def test_no_smaller_chance_is_told_than_was_measured(p: float, said: str) -> None:
    signal = Signal("x", "feature", "psi", 1.0, 0.5, 0, p_value=p)
    assert phrases.tested(signal) == f"PSI 1, threshold 0.5 · {said}"


def alerts_of(recorder: ReplayRecorder) -> list[AlertEvent]:
    return [decode_alert(encode_alert(alert)) for alert in recorder._alerts]


def check_self_contained(page: Page, text: str) -> None:
    names = {name for name, _ in page.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    for _, attributes in page.elements:
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        assert not {"src", "srcset", "action", "data"} & set(attributes)
        assert not re.search(r"url\(|@import", CSS)
    policy = page.all("meta")[1]["content"] or ""
    digest = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert f"<style>{CSS}</style>" in text


def test_a_replay_is_told(run: tuple[ReplayRecorder, Replay, Plan]) -> None:
    recorder, _, plan = run
    page = page_of(recorder, plan)
    headings = [id_ for a in page.all("section") if (id_ := a["id"])]
    assert "In alarm" not in page.text  # it was not told
    assert "from the start" not in page.text
    assert headings == [
        "episodes",
        "overview",
        "signals",
        "segments",
        "quality",
        "tests",
        "provenance",
    ]
    for words in (
        "Data drift",
        "reference",
        "window",
        "region=eu",
        "PSI",
        plan.hash,
        plan.reference.hash,
        "once in 10,000",
        "once in 100,000",
        "3,000",
    ):
        assert words in page.text, words
    cards = [c for c in page.all("svg") if (c.get("aria-label") or "").startswith("Distribution")]
    assert "Distribution of x" in (cards[0]["aria-label"] or "")


def test_every_drawing_has_words_and_every_table_a_caption(
    run: tuple[ReplayRecorder, Replay, Plan],
) -> None:
    recorder, _, plan = run
    page = page_of(recorder, plan)
    drawings = [svg for svg in page.all("svg") if svg.get("role") == "img"]
    assert drawings
    assert all(svg["aria-label"] for svg in drawings)
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(head["scope"] in ("col", "row") for head in page.all("th"))
    assert {name for name, _ in page.elements} >= {"main", "nav", "header", "footer", "h1"}
    ids = [a["id"] for _, a in page.elements if a.get("id")]
    assert len(ids) == len(set(ids))
    assert {(a["href"] or "")[1:] for a in page.all("a")} <= set(ids)


def test_an_episode_is_told_from_its_alerts_alone(
    run: tuple[ReplayRecorder, Replay, Plan],
) -> None:
    alerts = [a for a in alerts_of(run[0]) if a.data.labels.kind == "data_drift"]
    first = [a for a in alerts if a.data.episode == alerts[0].data.episode]
    report = report_of_episode(first)
    text = render(report, CSS)
    page = Page(text)
    check_self_contained(page, text)
    data = first[-1].data
    for words in (data.episode, data.fingerprint, data.reference, data.config, "alpha"):
        assert words in page.text, words
    facts = [name for name, *_ in report.facts]
    assert facts == ["State", "Began", "Signals", "Window", "Action"]
    assert len(report.episodes[0].revisions) == len(first)
    assert any(signal.bars for signal in report.signals)
    assert report.signals[0].ratio == max(
        s.value / s.threshold for a in first for s in a.data.signals if a.data.status == "firing"
    )
    assert render(report_of_episode(first[::-1]), CSS) == text, "the order they come in is nothing"


def test_a_gradual_change_is_told_from_its_beginning(
    run: tuple[ReplayRecorder, Replay, Plan],
) -> None:
    """What the last revision of an episode says of it, not the first."""
    alerts = [a for a in alerts_of(run[0]) if a.data.labels.kind == "data_drift"]
    first = next(a for a in alerts if a.data.signals[0].change_point is not None)
    plain = encode_alert(first)
    point = first.data.signals[0].change_point
    assert point is not None
    assert "Changed about" in render(report_of_episode([first]), CSS)
    signal = msgspec.structs.replace(
        first.data.signals[0], change_point=msgspec.structs.replace(point, shape="ramp")
    )
    data = msgspec.structs.replace(first.data, revision=first.data.revision + 1, signals=[signal])
    later = msgspec.structs.replace(first, data=data)
    page = Page(render(report_of_episode([decode_alert(plain), later]), CSS))
    began = point.estimate[:16].replace("T", " ")
    assert f"gradually since about {began}" in " ".join(page.text.split())


def test_revisions_that_retention_took_are_said(run: tuple[ReplayRecorder, Replay, Plan]) -> None:
    alerts = alerts_of(run[0])
    several = next(
        found
        for a in alerts
        if len(found := [b for b in alerts if b.data.episode == a.data.episode]) > 1
    )
    report = report_of_episode(several[1:])
    (warning,) = report.warnings
    assert warning.startswith("1 revision is not on the topic any more, because its retention took")
    assert warning in Page(render(report, CSS)).text
    known = report_of_episode(several[1:], notes=["few rows"])
    assert known.warnings == ("few rows", warning)
    with pytest.raises(ValueError, match="at least one revision"):
        report_of_episode([])


def test_no_value_becomes_markup() -> None:
    plan = hostile_plan()
    recorder, _ = replayed(plan, hostile_events(2_000))
    alerts = alerts_of(recorder)
    assert alerts
    report = recorder.report(plan, HOSTILE, 2_000, 0, 0, ())
    for text in (render(report, CSS, recorder.rows()), render(report_of_episode(alerts[:1]), CSS)):
        page = Page(text)
        check_self_contained(page, text)
        assert "<script" not in text
        assert HOSTILE in page.text


def test_private_plans_show_shapes_only() -> None:
    rng = np.random.default_rng(0)
    data = {"x": rng.normal(777.0, 1, 3000), "c": rng.choice(["SECRET", "b"], 3000).tolist()}
    reference = fit_reference(data, model="fraud", version="", times_ms=None, segments=())
    plan = make_plan(reference=reference, signals={}, private=True)
    import msgspec

    events = [
        msgspec.json.encode(
            {
                "model": {"name": "fraud", "version": "1"},
                "timestamp": 1_000_000 + i,
                "features": {
                    "x": float(rng.normal(779.0, 1)),
                    "c": rng.choice(["SECRET", "b"]).item(),
                },
                "segments": {"region": "HIDDEN"},
            }
        )
        for i in range(2_000)
    ]
    recorder, _ = replayed(plan, events)
    report = recorder.report(plan, "a.csv", 2_000, 0, 0, ())
    for text in (
        render(report, CSS, recorder.rows()),
        render(report_of_episode(alerts_of(recorder)[:1]), CSS),
    ):
        for hidden in ("SECRET", "HIDDEN", "777", "779"):
            assert hidden not in text
        assert "bin 1" in text
        assert "Distribution of x" in text


def test_a_history_is_bounded(run: tuple[ReplayRecorder, Replay, Plan]) -> None:
    plan = make_plan(window_events=100, window_min_events=50)
    recorder, _ = replayed(plan, make_events(4, 30_000))
    assert recorder._windows > 2 * HEAT_COLUMNS
    for _, ratios in recorder.rows():
        assert HEAT_COLUMNS <= len(ratios) < 2 * HEAT_COLUMNS


def test_what_only_tests_of_panes_found_is_drawn() -> None:
    """Windows that never fill, and windows that fill long before a small change is found."""
    plan = make_plan(window_events=100_000, window_min_events=50_000)
    recorder, _ = replayed(plan, make_events(3, 3_000, drift_at=2_000))
    report = recorder.report(plan, "a.csv", 3_000, 0, 0)
    assert [signal.name for signal in report.signals] == ["x"]
    assert report.signals[0].test in FOLLOWING
    assert report.signals[0].ratio > 1
    assert recorder.rows() == []

    plan = make_plan(window_events=1_000, window_min_events=500)
    recorder, _ = replayed(plan, make_events(3, 3_000, drift_at=2_000))
    heard = [
        s.value / s.threshold
        for alert in alerts_of(recorder)
        for s in alert.data.signals
        if s.test in FOLLOWING and (s.name, s.segment) == ("x", "")
    ]
    assert heard
    (ratios,) = [ratios for name, ratios in recorder.rows() if name == "x"]
    assert max(ratios) >= max(heard)
    assert ratios[0] < 1


def test_a_quiet_replay_says_so() -> None:
    plan = make_plan(false_alarms_per_week=0.001)
    recorder, _ = replayed(plan, make_events(5, 500))
    page = page_of(recorder, plan)
    assert "No drift: no episode opened." in page.text
    empty, _ = replayed(plan, [])
    assert "No drift" in page_of(empty, plan).text


def test_tags_escape() -> None:
    assert tag("p", "a<b", title='"x"') == '<p title="&quot;x&quot;">a&lt;b</p>'
    assert tag("p", [tag("b", 1), None, ["&"]], hidden=True) == "<p hidden><b>1</b>&amp;</p>"


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments])


def test_commands(run: tuple[ReplayRecorder, Replay, Plan], tmp_path: Path) -> None:
    recorder, _, _ = run
    alerts = alerts_of(recorder)
    lines = tmp_path / "alerts.jsonl"
    lines.write_bytes(b"".join(encode_alert(a) + b"\n" for a in alerts))
    episode = alerts[0].data.episode
    out = tmp_path / "report.html"
    done = invoke("report", "--episode", episode[:12], "--alerts", lines, "-o", out)
    assert done.exit_code == 0, done.output
    assert episode in Page(out.read_text()).text

    missing = invoke("report", "--episode", "ffffffffffff", "--alerts", lines, "-o", out)
    assert missing.exit_code == 1
    assert "there is no episode ffffffffffff" in missing.output
    assert invoke("report", "--episode", "ab", "--alerts", lines, "-o", out).exit_code == 2
    assert invoke("report", "--episode", episode, "-o", out).exit_code == 2


def test_replay_writes_a_report(tmp_path: Path) -> None:
    plan = make_plan()
    (tmp_path / "ref.json").write_bytes(plan.reference.to_json())
    rng = np.random.default_rng(1)
    rows = [
        f"{x},{z},{c},{s}"
        for x, z, c, s in zip(
            rng.normal(2, 1, 4000),
            rng.lognormal(size=4000),
            rng.choice(["a", "b", "d"], 4000),
            rng.random(4000),
        )
    ]
    (tmp_path / "rows.csv").write_text("\n".join(["x,z,c,score", *rows]) + "\n")
    done = invoke(
        "replay",
        tmp_path / "rows.csv",
        "--reference",
        tmp_path / "ref.json",
        "--report",
        tmp_path / "r.html",
        "--metrics",
        tmp_path / "m.jsonl",
    )
    assert done.exit_code == 0, done.output
    text = (tmp_path / "r.html").read_text()
    check_self_contained(Page(text), text)
    assert "replay of rows.csv" in text
    assert "e-detector" in Page(text).text, "what follows each pane is told too"
    assert (tmp_path / "m.jsonl").stat().st_size
