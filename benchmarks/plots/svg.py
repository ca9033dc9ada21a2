"""As much of SVG as the plots need: a sheet with panels, each with two scales.

Written by hand, so that a plot is a small text file whose changes can be read, and the same bytes
come from the same results everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

__all__ = ["BLUE", "GREY", "INK", "ORANGE", "PALE", "Panel", "Scale", "Sheet"]

INK, GREY, PALE = "#1f2933", "#7b8794", "#e4e7eb"
BLUE, ORANGE = "#0b69c7", "#d9480f"
_FONT = "font-family=\"system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif\""


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high`, by their logarithm if so said; labels at `ticks`."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    log: bool = False

    def at(self, value: float) -> float:
        """Place of a value, 0 to 1; beyond the ends at the ends."""
        value = min(max(value, self.low), self.high)
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


@dataclass
class Sheet:
    """A drawing on white, so that it can be read on dark pages too."""

    width: int
    height: int
    title: str
    parts: list[str] = field(default_factory=list)

    def add(self, tag: str, **attributes: object) -> None:
        """One element; underscores in names stand for hyphens."""
        self.parts.append(f"<{tag} {_attributes(attributes)}/>")

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: int = 12,
        fill: str = INK,
        anchor: str = "start",
        weight: str = "",
        rotate: float = 0.0,
    ) -> None:
        """Words; `anchor` is start, middle or end."""
        more = f' font-weight="{weight}"' if weight else ""
        if rotate:
            more += f' transform="rotate({rotate:g} {x:.1f} {y:.1f})"'
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" '
            f'text-anchor="{anchor}"{more}>{escape(text)}</text>'
        )

    def write(self) -> str:
        """The file."""
        body = "\n".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" role="img" {_FONT}>\n'
            f"<title>{escape(self.title)}</title>\n"
            f'<rect width="{self.width}" height="{self.height}" rx="6" fill="#ffffff"/>\n'
            f"{body}\n</svg>\n"
        )


def _attributes(values: dict[str, object]) -> str:
    said = []
    for name, value in values.items():
        shown = f"{value:.1f}" if isinstance(value, float) else str(value)
        said.append(f'{name.replace("_", "-")}="{escape(shown)}"')
    return " ".join(said)


@dataclass
class Panel:
    """A rectangle of a sheet with scales."""

    sheet: Sheet
    left: float
    top: float
    width: float
    height: float
    x: Scale
    y: Scale

    def px(self, value: float) -> float:
        """Place of a value along the sheet."""
        return self.left + self.width * self.x.at(value)

    def py(self, value: float) -> float:
        """Place of a value down the sheet."""
        return self.top + self.height * (1.0 - self.y.at(value))

    def axes(self, title: str = "", x_label: str = "", y_label: str = "") -> None:
        """Grid, ticks and labels."""
        sheet, bottom = self.sheet, self.top + self.height
        for value, label in self.y.ticks:
            y = self.py(value)
            sheet.add("line", x1=self.left, x2=self.left + self.width, y1=y, y2=y, stroke=PALE)
            sheet.text(self.left - 6, y + 4, label, size=11, fill=GREY, anchor="end")
        for value, label in self.x.ticks:
            sheet.add(
                "line", x1=self.px(value), x2=self.px(value), y1=bottom, y2=bottom + 4, stroke=GREY
            )
            sheet.text(self.px(value), bottom + 17, label, size=11, fill=GREY, anchor="middle")
        sheet.add(
            "line", x1=self.left, x2=self.left + self.width, y1=bottom, y2=bottom, stroke=GREY
        )
        if title:
            sheet.text(self.left, self.top - 12, title, size=13, weight="600")
        if x_label:
            sheet.text(self.left + self.width / 2, bottom + 36, x_label, fill=INK, anchor="middle")
        if y_label:
            x = self.left - 46
            sheet.text(x, self.top + self.height / 2, y_label, anchor="middle", rotate=-90)

    def dot(
        self, x: float, y: float, colour: str, *, radius: float = 4.0, hollow: bool = False
    ) -> None:
        """A point."""
        self.sheet.add(
            "circle",
            cx=self.px(x),
            cy=self.py(y),
            r=radius,
            stroke=colour,
            fill="#ffffff" if hollow else colour,
            stroke_width=1.5,
        )

    def interval(
        self,
        x: float,
        low: float,
        high: float,
        colour: str,
        *,
        across: bool = False,
        at: float = 0.0,
    ) -> None:
        """A bar from low to high: down at x, or along at the height `at` if `across`."""
        if across:
            self.sheet.add(
                "line",
                x1=self.px(low),
                x2=self.px(high),
                y1=self.py(at),
                y2=self.py(at),
                stroke=colour,
                stroke_width=1.5,
            )
        else:
            self.sheet.add(
                "line",
                x1=self.px(x),
                x2=self.px(x),
                y1=self.py(low),
                y2=self.py(high),
                stroke=colour,
                stroke_width=1.5,
            )

    def line(
        self,
        points: Sequence[tuple[float, float]],
        colour: str,
        *,
        dashed: bool = False,
        width: float = 2.0,
    ) -> None:
        """A line through points."""
        path = " ".join(f"{self.px(x):.1f},{self.py(y):.1f}" for x, y in points)
        more = {"stroke_dasharray": "5 4"} if dashed else {}
        self.sheet.add(
            "polyline",
            points=path,
            fill="none",
            stroke=colour,
            stroke_width=width,
            stroke_linejoin="round",
            **more,
        )

    def bar(self, x: float, y: float, height: float, to: float, colour: str) -> None:
        """A horizontal bar from x to `to`, its middle at sheet height y."""
        start, end = self.px(x), self.px(to)
        self.sheet.add(
            "rect",
            x=start,
            y=y - height / 2,
            width=max(0.0, end - start),
            height=height,
            rx=2,
            fill=colour,
        )
