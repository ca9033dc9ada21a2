"""In which form a report is written: HTML, or Markdown for tickets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stream.report import Report

__all__ = ["FORMS", "form_of", "report_text"]

FORMS: Final = ("html", "md")
_MARKDOWN: Final = (".md", ".markdown")


def form_of(path: Path) -> str:
    """The form that a file's name asks for."""
    return "md" if path.suffix.lower() in _MARKDOWN else "html"


def report_text(report: Report, form: str, rows: Sequence[tuple[str, Sequence[float]]] = ()) -> str:
    """A report in one of the `FORMS`; HTML draws `rows`, its signals' loudness over time."""
    from stream.page import asset
    from stream.report import render, render_markdown

    if form == "md":
        return render_markdown(report)
    return render(report, asset("style.css").decode(), rows)
