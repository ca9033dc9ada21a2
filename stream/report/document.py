"""A report as one HTML file: no script, no asset from elsewhere, printable."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from stream.report import sections
from stream.report.episodes import episodes_section
from stream.report.html import style_sheet, tag
from stream.report.model import Report
from stream.report.parts import badge, facts
from stream.report.phrases import state
from stream.report.words import arrows, span

__all__ = ["render"]


def render(report: Report, css: str, rows: Sequence[tuple[str, Sequence[float]]] = ()) -> str:
    """Give the HTML of a report.

    `css` is put into the file. `rows` are signals with their loudness over the report's time, for
    the map of signals; there may be none.
    """
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{report.title} · driftstream report"),
        style_sheet(css),
    )
    parts = [
        ("episodes", "Episodes", episodes_section(report)),
        ("overview", "Over time", sections.overview_section(report, rows)),
        ("outcomes", "Outcomes", sections.outcomes_section(report)),
        ("fairness", "Fairness", sections.fairness_section(report)),
        ("signals", "What moved", sections.signals_section(report)),
        ("segments", "Segments", sections.segments_section(report)),
        ("quality", "Data quality", sections.quality_section(report)),
        ("tests", "Tests", sections.tests_section(report)),
        ("events", "Its events", sections.fetch_section(report)),
        ("provenance", "Provenance", sections.provenance_section(report)),
    ]
    there = [(id_, title, part) for id_, title, part in parts if part is not None]
    kind = f"sev-{report.severity}" if report.severity else "resolved"
    top = tag(
        "header",
        tag("p", "driftstream report", class_="brand"),
        tag("h1", report.title, " ", badge(state(report), kind)),
        tag("p", arrows(report.lead), class_="verdict"),
        tag("p", f"{span(report.start_ms, report.end_ms)} UTC", class_="meta"),
        sections.warnings_panel(report.warnings),
        facts(report.facts),
    )
    nav = tag(
        "nav",
        tag("ul", (tag("li", tag("a", title, href=f"#{id_}")) for id_, title, _ in there)),
        aria_label="Sections",
    )
    body = tag(
        "body",
        tag("a", "Skip to the content", href="#content", class_="skip"),
        tag(
            "div",
            top,
            nav,
            tag("main", [part for _, _, part in there], id="content"),
            tag("footer", tag("p", report.made)),
            class_="page",
        ),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"
