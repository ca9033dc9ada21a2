"""Whatever a name holds, nothing that people read is steered, turned around or forged by it."""

from __future__ import annotations

import io
import json
import logging
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import CollectorRegistry

from stream.alerts.episodes import Episodes, Finding
from stream.commands import alerts, shared
from stream.contracts.alert_event import (
    AlertContext,
    AlertEvent,
    decode_alert,
    encode_alert,
)
from stream.metrics.families import counter, gauge
from stream.notify.targets.alertmanager import alertmanager_alert
from stream.notify.targets.slack import slack_message, slack_text
from stream.notify.targets.template import fill_template
from stream.page import asset
from stream.plans.plan import Subject
from stream.report import render, report_of_episode
from stream.report.html import tag
from stream.text.printable import PrintableFormatter, printable, printable_json

NOW_MS = 1_772_366_400_000
NASTY = (
    "3\n2026-03-01T12:00:00.000Z  firing   critical 4f6988d8 payments v1: all is lost",
    "\x1b[2J\x1b]0;owned\x07", "\x9b31m", "a\u202eb\u2066c\u2069", "x\u200by\u2060z\ufeff",
    "\r\x08\x7f",
    "\u2028line\u2029", "<!channel> <http://x|y> *bold* _it_ ~no~ `code` @here :white_check_mark:",
    "[red]x[/]", "**b** <img src=x onerror=alert(1)> [a](http://b)",
    "\U000e0041\U000e007f", "\u00ad\u200d",
    "%s %d {x}", "a\tb", "", "é", "中文", "🙂", "👩🏽‍🔬", "naïve_name", "region=eu",
)  # fmt: skip
ORDINARY = (
    "amount", "é", "straße", "中文列名", "имя", "العربية", "한국어",
    "日本語　幅", "🙂", "👩🏽‍🔬", "👨‍👩‍👧", "❤️‍🔥",
    "a b", "purchase_frequency", "x (log)", "1.0-rc.1+git.abc", "C:\\\\temp",
    "O'Hara", '"q"', "x\u00a0y",
)  # fmt: skip
NAMES = st.sampled_from(NASTY) | st.text(max_size=30)


def steers(text: str, *, lines: bool = False) -> list[str]:
    """The characters that must not come out; line breaks of ours may, with `lines`."""
    kept = text.replace("\n", "") if lines else text
    for emoji in ORDINARY:  # a joiner within a picture is one
        kept = kept.replace(emoji, "")
    return [
        c
        for c in kept
        if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c != "\u200d"
    ]


def alert(model: str, version: str, signal: str, segment: str, category: str) -> AlertEvent:
    found = Finding(
        kind="data_drift",
        signal=signal,
        role="feature",
        test="psi",
        value=0.3,
        threshold=0.1,
        severity="critical",
        start_ms=NOW_MS,
        end_ms=NOW_MS + 1000,
        events=1000,
        segment=segment,
        change=f"'{category}' gained 12 points",
        effect=0.3,
    )
    other = msgspec.structs.replace(found, signal=signal + "2")
    context = AlertContext(runbook_url="https://r/{kind}", dashboard_url="https://d|x/*y*")
    (event,) = Episodes(Subject(model, version)).step(NOW_MS, [found, other], True, context)
    return event


def on_terminal(show: Callable[[], None]) -> str:
    @click.command()
    def command() -> None:
        show()

    result = CliRunner().invoke(command, catch_exceptions=False)
    return result.output


def logged(words: str) -> str:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(PrintableFormatter("%(levelname)s %(name)s: %(message)s"))
    record = logging.LogRecord("x", logging.WARNING, "", 0, "model %s", (words,), None)
    handler.handle(record)
    return out.getvalue()


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    assert printable(name) == name
    assert json.loads(printable_json(json.dumps(name, ensure_ascii=False))) == name


@given(st.text())
def test_printable_is_one_line_that_can_be_seen(text: str) -> None:
    said = printable(text)
    assert not steers(said)
    assert printable(said) == said
    assert len(printable(text, 20)) <= 20
    assert (
        (said == text) == (not steers(text))
        or "\u200d" in text
        or any(unicodedata.category(c) in ("Co", "Cn") for c in text)
    )


@given(st.recursive(NAMES | st.integers(), lambda inner: st.dictionaries(NAMES, inner, max_size=3)))
def test_json_stays_the_same_json(value: object) -> None:
    try:
        plain = msgspec.json.encode(value)
    except (UnicodeEncodeError, OverflowError, ValueError):
        return
    safe = printable_json(plain)
    assert msgspec.json.decode(safe) == msgspec.json.decode(plain)
    assert not steers(safe)


@given(NAMES, NAMES, NAMES, NAMES, NAMES)
@example(NASTY[0], NASTY[0], NASTY[0], NASTY[0], NASTY[0])
@example(*NASTY[1:6])
@example(*NASTY[6:11])
def test_no_name_reaches_a_reader_raw(
    model: str, version: str, signal: str, segment: str, category: str
) -> None:
    names = (model, version, signal, segment, category)
    if any("\ud800" <= c <= "\udfff" for name in names for c in name):
        return  # no JSON holds it
    event = alert(*names)
    # The contract holds the names exactly.
    back = decode_alert(encode_alert(event)).data
    assert (back.labels.model, back.labels.model_version) == (model, version)
    assert (back.signals[0].name, back.signals[0].segment) == (signal, segment)
    # An event of somebody else may hold anything in its words, too.
    forged = msgspec.structs.replace(
        event,
        data=msgspec.structs.replace(
            event.data,
            annotations=msgspec.structs.replace(
                event.data.annotations, summary=" ".join(names), evidence=" ".join(names)
            ),
        ),
    )
    for each in (event, forged):
        assert not steers(each.data.annotations.summary) or each is forged
        line = on_terminal(lambda e=each: click.echo(shared.alert_line(e)))
        assert line.count("\n") == 1
        assert not steers(line, lines=True)
        whole = on_terminal(lambda e=each: alerts._print_revision(e))
        assert not steers(whole, lines=True)
        starts = [row for row in whole.split("\n") if re.match(r"\d{4}-.* (firing|reso)", row)]
        assert len(starts) == 1
        slack = json.loads(slack_message(each))["text"]
        assert not steers(slack, lines=True)
        assert slack.count("\n") <= 2
        posted = alertmanager_alert(each, NOW_MS, NOW_MS + 1)
        for text in (*posted["labels"].values(), *posted["annotations"].values()):
            assert not steers(text)
        filled = json.loads(fill_template('{"a": "${summary}", "b": "${model}"}', each))
        assert not steers("".join(filled.values()))
        page = render(report_of_episode([each]), asset("style.css").decode())
        assert not steers(page, lines=True)
    for words in names:
        assert not steers(logged(words), lines=True)
        assert logged(words).count("\n") == 1
        said = on_terminal(lambda w=words: (shared.answer(w), shared.say(w), None)[2])
        assert said.count("\n") == 2
        assert not steers(said, lines=True)


def test_slack_reads_no_markup_in_a_name() -> None:
    said = slack_text("<!channel> <http://x|y> *b* _i_ ~s~ `c` @here :tada:")
    assert said == "&lt;!channel&gt; &lt;http꞉//x|y&gt; ∗b∗ ＿i＿ ∼s∼ ˋcˋ ＠here ꞉tada:"
    assert slack_text("snake_case a:b 12:30 & x") == "snake_case a:b 12:30 &amp; x"
    text = json.loads(slack_message(alert("m*", "<!here>", "_a_", "s=`x`", "~c~")))["text"]
    body = text.split("*critical*", 1)[1]
    assert not re.search(r"<!|[*~@]", body.split("\n")[0])
    assert "<https://d%7Cx/*y*|Dashboard>" in body


def test_tables_take_names_for_what_they_are() -> None:
    said = on_terminal(
        lambda: shared.print_table("[bold]t", ("name",), [["[red]x[/red]"], ["a\nb"], ["\x1b[1m"]])
    )
    assert "[bold]t" in said
    assert "[red]x[/red]" in said
    assert "a\\nb" in said
    assert "\\x1b[1m" in said


def test_a_log_keeps_the_lines_of_a_traceback_and_no_name_begins_one() -> None:
    formatter = PrintableFormatter("%(levelname)s %(message)s")
    try:
        raise ValueError("a\nERROR forged\x1b[2J")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "", 0, "failed\nERROR %s", ("b\nc",), info)
    lines = formatter.format(record).split("\n")
    assert lines[0] == "ERROR failed\\nERROR b\\nc"
    assert len(lines) > 3
    assert all(line.startswith("  ") for line in lines[1:])
    assert not steers("".join(lines))


def test_labels_of_metrics_are_printable() -> None:
    families = [gauge("a", "A gauge.", ["model"]), counter("b", "A counter.", ["model"])]
    for at, family in enumerate(families):
        family.add_metric(["x\u202e\x1b\n"], at)
        family.add_metric(["中文 é"], at)

    class Held:
        def collect(self) -> list[object]:
            return list(families)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Held())  # type: ignore[arg-type]
    page = generate_latest(registry).decode()
    assert not steers(page, lines=True)
    assert "\\\\u202e" in page
    assert "中文 é" in page


def test_html_shows_what_cannot_be_seen() -> None:
    made = tag("td", "a\u202eb<", title="\x1b")
    assert made == '<td title="\\x1b">a\\u202eb&lt;</td>'


def test_errors_repeat_no_name_raw(tmp_path: Path) -> None:
    from stream.cli import cli

    data = tmp_path / "a.csv"
    data.write_text("x\n1\n2\n")
    result = CliRunner().invoke(
        cli, ["fit", str(data), "--model", "m", "--score", "\x1b[2J\ny", "-o", str(tmp_path / "r")]
    )
    assert result.exit_code
    assert not steers(result.output, lines=True)
