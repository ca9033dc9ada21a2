"""Reports for tickets: the same words as Markdown, warnings first, no value more than words."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from detectors import fit_reference
from stream.contracts.alert_event import AlertEvent, encode_alert
from stream.report import render, render_markdown, report_of_episode
from stream.report.fetch import fetch_commands
from stream.report.markdown_text import Markdown, code, join, table
from stream.report.model import QualityRow, SegmentRow
from stream.report.words import arrows
from stream.stage2.untested import AtEnd, Untested
from stream.text.printable import printable
from tests.stream.harness import make_events, make_plan, replayed
from tests.stream.report.test_report import (
    CSS,
    HOSTILE,
    Page,
    alerts_of,
    hostile_events,
    hostile_plan,
    invoke,
)

READ = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def tokens(text: str) -> list[Token]:
    """Every token of a text, those within lines too."""
    return [each for token in READ.parse(text) for each in (token, *(token.children or ()))]


def words_of(text: str) -> str:
    """What a reader sees of it."""
    shown = (t.content for t in tokens(text) if t.type in ("text", "code_inline", "fence"))
    return "".join(shown).replace("\u200b", "")


def kinds(text: str) -> set[str]:
    return {token.type for token in tokens(text)}


@pytest.fixture(scope="module")
def ended() -> list[AlertEvent]:
    """An episode that grew and ended: drift for a while, and then none."""
    calm, drift = make_events(3, 6_000, drift_at=6_000), make_events(3, 6_000, drift_at=0)
    plan = make_plan(window_events=400)
    recorder, _ = replayed(plan, [*calm[:2_000], *drift[2_000:3_500], *calm[3_500:]])
    found = [a for a in alerts_of(recorder) if a.data.labels.kind == "data_drift"]
    first = [a for a in found if a.data.episode == found[0].data.episode]
    assert [first[0].data.status, first[-1].data.status] == ["firing", "resolved"]
    return first


def summary(event: AlertEvent) -> str:
    return arrows(event.data.annotations.summary)


def test_an_episode_that_ended_tells_first_worst_and_last(ended: list[AlertEvent]) -> None:
    fired = [a for a in ended if a.data.status == "firing"]
    rank = ("info", "warning", "critical")
    worst = max(
        fired,
        key=lambda a: (rank.index(a.data.severity), max(s.effect or 0 for s in a.data.signals)),
    )
    assert worst is not fired[0]
    report = report_of_episode(ended)
    text = render_markdown(report)
    told = re.findall(r"^- \*\*(\w+)\*\*, [^:]+:\d\d: (.*)$", text, re.M)
    assert [(name, words_of(said)) for name, said in told] == [
        ("First", summary(ended[0])),
        ("Worst", summary(worst)),
        ("Last", summary(ended[-1])),
    ]
    page = Page(render(report, CSS)).text
    places = [page.index(f"{name}, 1970-01-12") for name in ("First", "Worst", "Last")]
    assert places == sorted(places)
    assert page.count(summary(worst)) == 1


def test_an_episode_that_fires_tells_how_it_is_now(ended: list[AlertEvent]) -> None:
    firing = ended[:-1]
    report = report_of_episode(firing)
    text = render_markdown(report)
    assert "**First" not in text
    assert "**Worst" not in text
    assert words_of(text).count(summary(firing[-1])) == 1, "the lead says it, and nothing again"
    assert Page(render(report, CSS)).text.count(summary(firing[0])) == 0


def test_an_episode_that_was_never_worse_says_so_once(ended: list[AlertEvent]) -> None:
    text = render_markdown(report_of_episode([ended[0], ended[-1]]))
    assert re.findall(r"^- \*\*(.*?)\*\*", text, re.M) == ["First and worst", "Last"]


@pytest.mark.parametrize("more", [0, 1, 2])
def test_what_is_beyond_the_first_is_counted(ended: list[AlertEvent], more: int) -> None:
    report = report_of_episode(ended)
    segment, quality = SegmentRow("a=b", "x", "psi", 2.0, 1, 1), QualityRow("x", ())
    ticket = replace(
        report,
        episodes=report.episodes * (10 + more),
        segments=(segment,) * (12 + more),
        quality=(quality,) * (12 + more),
    )
    page = replace(
        report,
        episodes=report.episodes * (4 + more),
        segments=(segment,) * (40 + more),
        quality=(quality,) * (20 + more),
    )
    s = "" if more == 1 else "s"
    found = re.findall(r"And (\d+ [a-z]+), which", words_of(render_markdown(ticket)))
    assert found == (
        [f"{more} episode{s}", f"{more} segment{s}", f"{more} signal{s}"] if more else []
    )
    shown = Page(render(page, CSS, [("x", [1.0])] * (20 + more))).text
    assert re.findall(r"\d+ earlier episodes?", shown) == (
        [f"{more} earlier episode{s}"] if more else []
    )
    found = re.findall(r"And (\d+ [a-z]+), which", shown)
    assert found == (
        [f"{more} signal{s}", f"{more} segment{s}", f"{more} signal{s}"] if more else []
    )


def test_warnings_stand_before_all_else() -> None:
    plan = make_plan()
    (warning, *_) = plan.reference.warnings
    recorder, _ = replayed(plan, make_events(3, 3_000, drift_at=1_500))
    gap = Untested("flat", "z cannot be tested: all values are 3.")
    report = recorder.report(plan, "a.csv", 3_000, 0, 0, (), untested=AtEnd(True, [gap]))
    text = render_markdown(report)
    shown = words_of(text)
    for said in (warning, "Not all was tested (1 gap"):
        assert shown.index(said) < shown.index(report.lead), said
    assert shown.index(gap.words) > shown.index("What was not tested")
    page = Page(render(report, CSS, recorder.rows()))
    assert "Warnings" in {a.get("aria-label") for a in page.all("div")}
    assert page.text.index(warning) < page.text.index("Windows")


def test_without_a_warning_nothing_is_said_before() -> None:
    rng = np.random.default_rng(0)
    reference = fit_reference(
        {"x": rng.normal(size=20_000)},
        model="fraud",
        version="",
        segments=(),
        times_ms=1_000_000_000_000 + np.arange(20_000) * 60_000,
    )
    plan = make_plan(reference=reference, signals={})
    assert reference.warnings == ()
    recorder, _ = replayed(plan, make_events(3, 500))
    report = recorder.report(plan, "a.csv", 500, 0, 0, ())
    assert "rely on it" not in render_markdown(report)
    assert "rely on it" not in render(report, CSS)


def with_offsets(event: AlertEvent, **offsets: tuple[int, int]) -> AlertEvent:
    named = {name.replace("_", "-"): span for name, span in offsets.items()}
    return msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, offsets=named))


def test_kcat_reads_what_the_decisions_saw(ended: list[AlertEvent]) -> None:
    events = [
        with_offsets(ended[0], my_topic_10=(100, 199), my_topic_2=(7, 7)),
        with_offsets(ended[1], my_topic_10=(150, 299)),
        with_offsets(ended[-1], my_topic_10=(150, 999)),  # resolved: the way to its end
    ]
    commands = [shlex.split(line) for line in fetch_commands(events, "a:9092,b:9092")]
    head = ["kcat", "-C", "-e", "-b", "a:9092,b:9092", "-t", "my-topic"]
    assert commands == [
        [*head, "-p", "2", "-o", "7", "-c", "1"],
        [*head, "-p", "10", "-o", "100", "-c", "200"],
    ]
    report = report_of_episode(events, "a:9092,b:9092")
    for text in (words_of(render_markdown(report)), Page(render(report, CSS)).text):
        assert "kcat -C -e -b a:9092,b:9092 -t my-topic -p 10 -o 100 -c 200" in text


def test_a_topic_cannot_add_to_the_command(ended: list[AlertEvent]) -> None:
    sly = "x; rm -rf $HOME `id` ```"
    event = with_offsets(ended[0], **{f"{sly}-0": (1, 2), "nothing": (1, 2), "x-0": (5, 4)})
    (line,) = fetch_commands([event], "b")
    assert shlex.split(line)[6] == sly
    text = render_markdown(report_of_episode([event], "b"))
    (fence,) = [token for token in tokens(text) if token.type == "fence"]
    assert fence.content == line + "\n"


def test_no_value_is_more_than_words() -> None:
    plan = hostile_plan()
    recorder, _ = replayed(plan, hostile_events(2_000))
    reports = [
        recorder.report(plan, HOSTILE, 2_000, 0, 0, ()),
        report_of_episode(alerts_of(recorder)[:1]),
    ]
    for report in reports:
        text = render_markdown(report)
        assert not kinds(text) & {"html_block", "html_inline", "image", "link_open", "em_open"}
        assert HOSTILE in words_of(text)


MARKUP = st.text(alphabet="\\`*_[]()<>|~&$!#-+=.:/@wa1 \n\té", max_size=40)


@given(MARKUP | st.text(max_size=40))
@example("https://evil.example www.evil.example <a@b.c> ![x](y) [x]: y")
@example("1. a")
@example("- a")
@example("&lt; __init__ dep_delay *a* ~~b~~")
@example("a\\|b")
def test_text_is_read_as_it_was(value: str) -> None:
    """Alone, within a line, and in a table; what begins a line begins no list and no heading."""
    said = " ".join(arrows(printable(value)).split())
    for made in (join(value), join("Evidence: ", value), table(("head",), [(value,)])):
        assert not kinds(made) & {
            "html_block",
            "html_inline",
            "image",
            "link_open",
            "em_open",
            "strong_open",
            "s_open",
            "list_item_open",
            "heading_open",
            "blockquote_open",
            "hr",
            "code_inline",
            "code_block",
        }, made
        assert said in " ".join(words_of(made).split()), made


@given(MARKUP | st.text(max_size=40))
def test_code_is_read_as_it_was(value: str) -> None:
    (found,) = [t for t in tokens(join("x ", code(value))) if t.type == "code_inline"]
    assert found.content.strip() == printable(value).strip()


def test_a_table_keeps_its_columns() -> None:
    made = table(("a", "b"), [("1|2", code("x|y")), ("", Markdown("**z**"))])
    rows = made.split("\n")[2:]
    assert rows[1] == "| – | **z** |"
    assert sum(token.type == "td_open" for token in tokens(made)) == 4
    assert [t.content for t in tokens(made) if t.type in ("text", "code_inline")][2:4] == [
        "1|2",
        "x|y",
    ]


def test_a_name_notifies_nobody_and_an_address_is_no_link() -> None:
    """Trackers look for these in what was rendered, so an escape alone is not enough for names."""
    shown = [t.content for t in tokens(join("model @team")) if t.type == "text"]
    assert "@team" not in "".join(shown)
    assert join("a @ b") == "a @ b"
    assert join("https://evil.example www.evil.example") == (
        "https\\://evil.example www\\.evil.example"
    )


def test_commands(ended: list[AlertEvent], tmp_path: Path) -> None:
    lines, out = tmp_path / "alerts.jsonl", tmp_path / "ticket.md"
    lines.write_bytes(b"".join(encode_alert(a) + b"\n" for a in ended))
    of: tuple[Any, ...] = ("report", "--episode", ended[0].data.episode, "--alerts", lines)
    assert invoke(*of, "-o", out).exit_code == 0
    text = out.read_text()
    assert text.startswith("# fraud v1: data drift (resolved)\n")
    shown = invoke(*of, "-o", "-", "--format", "md")
    assert shown.exit_code == 0
    assert shown.stdout == text
    assert invoke(*of, "-o", tmp_path / "x.txt", "--format", "md").exit_code == 0
    assert (tmp_path / "x.txt").read_text() == text
    assert invoke(*of, "-o", tmp_path / "y.md", "--format", "html").exit_code == 0
    assert (tmp_path / "y.md").read_text().startswith("<!DOCTYPE html>")
    assert invoke(*of, "-o", out, "--format", "pdf").exit_code == 2


def test_replay_writes_it_too(tmp_path: Path) -> None:
    plan = make_plan()
    (tmp_path / "ref.json").write_bytes(plan.reference.to_json())
    rows = [f"{x},1,a,.5" for x in np.random.default_rng(1).normal(2, 1, 2_000)]
    (tmp_path / "rows.csv").write_text("\n".join(["x,z,c,score", *rows]) + "\n")
    done = invoke(
        "replay",
        tmp_path / "rows.csv",
        "--reference",
        tmp_path / "ref.json",
        "--report",
        tmp_path / "r.md",
    )
    assert done.exit_code == 0, done.output
    text = (tmp_path / "r.md").read_text()
    assert text.startswith("# fraud: replay of rows.csv (critical, firing)\n")
    assert "## What was tested" in text
