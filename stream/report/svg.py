"""Parts of drawings: places are shares of the width, heights and sizes of text are pixels.

So a chart fills its column and stays readable on a phone. Colours are classes of the style sheet:
light and dark are its matter. Every chart has a name and a description for screen readers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stream.report.html import Child, Markup, tag

__all__ = ["bar", "beside", "chart", "label", "line", "place", "stretched"]

_NAME_CHARS: Final = 14


def chart(name: str, description: str, height: int, *children: Child, kind: str) -> Markup:
    """Give a drawing of so many pixels' height."""
    return tag(
        "svg",
        tag("title", name),
        tag("desc", description),
        children,
        role="img",
        aria_label=f"{name}. {description}",
        width="100%",
        height=height,
        class_=f"chart {kind}",
        focusable="false",
    )


def place(share: float) -> str:
    """A share as a percentage."""
    return f"{100.0 * share:.2f}%"


def bar(x: float, y: float, width: float, height: float, kind: str, words: str = "") -> Markup:
    """Give a bar; `x` and `width` are shares of the chart, the others pixels."""
    title = tag("title", words) if words else None
    return tag(
        "rect",
        title,
        x=place(x),
        y=f"{y:.1f}",
        width=place(max(0.0, width)),
        height=f"{max(0.0, height):.1f}",
        class_=kind,
    )


def label(x: float, y: float, text: str, *, anchor: str = "start", kind: str = "") -> Markup:
    """Give a text at a place."""
    return tag("text", text, x=place(x), y=y, text_anchor=anchor, class_=kind or None)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """Give a line between two places."""
    return tag("line", x1=place(x1), y1=y1, x2=place(x2), y2=y2, class_=kind)


def stretched(points: str, y: float, height: float, kind: str) -> Markup:
    """Give a line through points of a square of 100, drawn over the whole width."""
    return tag(
        "svg",
        tag("polyline", points=points, class_=kind, vector_effect="non-scaling-stroke"),
        viewBox="0 0 100 100",
        preserveAspectRatio="none",
        width="100%",
        height=height,
        y=y,
    )


def beside(
    name: str,
    description: str,
    kind: str,
    names: Sequence[str],
    row_px: int,
    drawn: Sequence[Markup],
    height: int,
) -> Markup:
    """Names of rows, in as many pixels as they need, and what is drawn beside them."""
    texts = [
        tag(
            "text",
            tag("title", text),
            _short(text),
            x="100%",
            y=row * row_px + row_px // 2 + 4,
            text_anchor="end",
        )
        for row, text in enumerate(names)
    ]
    parts = (
        tag("svg", part, width="100%", height=height, aria_hidden="true", focusable="false")
        for part in (texts, drawn)
    )
    return tag(
        "div", parts, role="img", aria_label=f"{name}. {description}", class_=f"chart beside {kind}"
    )


def _short(name: str) -> str:
    return name if len(name) <= _NAME_CHARS else name[: _NAME_CHARS - 1] + "…"
