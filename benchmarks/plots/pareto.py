"""Delay against false alarms, of driftstream and its peers, at each of their settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.plots.svg import BLUE, GREY, INK, ORANGE, Panel, Scale, Sheet

__all__ = ["pareto"]

_CHANGES = {
    "sudden +.25 sd": "sudden, mean +.25 sd",
    "gradual to +.5 sd over 20,000": "gradual, to +.5 sd",
    "spread x1.5": "variance only, x1.5",
}
_LABELS = ("default", "10", "1")
#: Who is named in the plot, and with what; the others are grey points.
_NAMED = {
    "driftstream, default set": ("A", BLUE), "driftstream e-detector x+y": ("E", BLUE),
    "driftstream ADWIN, panes": ("W", BLUE), "driftstream PSI": ("P", BLUE),
    "river ADWIN": ("a", ORANGE), "river PageHinkley": ("h", ORANGE),
    "evidently PSI": ("p", ORANGE), "scipy ks_2samp": ("k", ORANGE),
    "every 1,000": ("o", INK),
}  # fmt: skip
_LEAST, _MOST = 0.02, 3_000.0
_DELAYS = ((100, "100"), (1_000, "1,000"), (10_000, "10,000"))


def pareto(contestants: Mapping[str, Any]) -> str:
    """Three panels: lower left is better."""
    sheet = Sheet(760, 470, "Delay against false alarms, driftstream and seven libraries")
    ticks = [(0.1, "0.1"), (1, "1"), (10, "10"), (100, "100"), (1_000, "1,000")]
    for k, (change, title) in enumerate(_CHANGES.items()):
        panel = Panel(
            sheet,
            64 + 236 * k,
            48,
            196,
            262,
            Scale(_LEAST, _MOST, ticks, log=True),
            Scale(60.0, 30_000.0, _DELAYS, log=True),
        )
        panel.axes(title, "false alarms a million events", "median delay, events" if k == 0 else "")
        names = sorted(contestants, key=lambda name: name in _NAMED)
        for name in names:
            letter, colour = _NAMED.get(name, ("", "#b8c2cc"))
            held = contestants[name]
            points = []
            for label in _LABELS:
                cell = held["delays"].get(label, {}).get(change)
                rate = held["nulls"].get(label, {}).get("N(0,1)")
                if not cell or cell["median"] is None or rate is None or not rate["items"]:
                    continue
                if cell["missed"] / cell["changes"] > 0.5 or rate["rate"] > _MOST:
                    continue
                points.append((max(rate["rate"], _LEAST), cell["median"], rate["rate"] == 0))
            points = sorted(set(points))
            if letter and len(points) > 1:
                panel.line([(x, y) for x, y, _ in points], colour, width=1.0)
            for x, y, none in points:
                panel.dot(x, y, colour, radius=3.5 if letter else 2.5, hollow=none)
            if letter and points:
                x, y, _ = points[-1]
                sheet.text(
                    panel.px(x) + 6, panel.py(y) - 4, letter, size=11, fill=colour, weight="600"
                )
    for i, (name, (letter, colour)) in enumerate(_NAMED.items()):
        x, y = 40 + 240 * (i % 3), 386 + 20 * (i // 3)
        sheet.text(x, y, letter, fill=colour, weight="600")
        sheet.text(x + 20, y, name, fill=INK)
    sheet.text(
        40,
        454,
        "lower left is better; grey: other detectors of six libraries; hollow: no "
        "false alarm seen; not shown: who misses half",
        size=11,
        fill=GREY,
    )
    return sheet.write()
