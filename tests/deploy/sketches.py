"""Sketches of the dashboards: each panel's own answers, of a real Prometheus, drawn plainly.

`python -m tests.deploy.sketches` writes docs/images/grafana-*.png, with Chromium. They show what a
panel holds and where it stands; how Grafana draws it is Grafana's.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any, Final

from tests.deploy.scraped import Server, scraping
from tests.page.browser import NAMES, find_browser

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
CHOSEN: Final = {
    "__rate_interval": "30s", "datasource": "prometheus", "model": "fraud", "version": "(3|4)",
    "signal": "amount", "metric": "accuracy", "environment": ".+", "instance": ".+",
}  # fmt: skip
COLOURS: Final = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2")
ROW_PX: Final = 38
WIDTH_PX: Final = 1440
STYLE: Final = """
body{margin:12px;font:12px system-ui,sans-serif;background:#f4f5f5;color:#24292e}
h1{font-size:18px;margin:0 0 8px}main{display:grid;grid-template-columns:repeat(24,1fr);gap:8px}
section{background:#fff;border:1px solid #e0e2e5;padding:6px 8px;overflow:hidden;
display:flex;flex-direction:column}
h2{font-size:12px;margin:0 0 4px;font-weight:600}table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:2px 6px;border-bottom:1px solid #eee;font-size:11px}
.n{display:flex;gap:14px;flex-wrap:wrap;align-items:center;flex:1}.n b{font-size:20px}
.l{font-size:10px;color:#555;line-height:13px}.l i{display:inline-block;width:9px;height:9px;
margin:0 3px 0 8px}svg{width:100%;flex:1;min-height:0}a{color:#1f60c4}
"""


def filled(text: str, **more: str) -> str:
    """A text as Grafana would send or show it."""
    for name, value in (CHOSEN | more).items():
        text = re.sub(rf"\$\{{{name}\}}|\${name}\b", value, text)
    return text


class Sketch:
    """One dashboard."""

    def __init__(self, server: Server, board: dict[str, Any], start: float, end: float) -> None:
        self.server, self.board, self.start, self.end = server, board, start, end

    def page(self) -> str:
        """All panels on Grafana's grid; one that repeats stands once for each version."""
        panels = []
        for panel in self.board["panels"]:
            grid = dict(panel["gridPos"])
            if panel.get("repeat"):
                for at, version in enumerate(("3", "4")):
                    half = grid | {"x": 12 * at, "w": 12}
                    panels.append(self._panel(panel, half, {"version": version}))
            else:
                panels.append(self._panel(panel, grid, {}))
        title = escape(self.board["title"])
        return (
            f"<!DOCTYPE html><meta charset=utf-8><style>{STYLE}</style><h1>{title}</h1>"
            f"<main>{''.join(panels)}</main>"
        )

    def _panel(self, panel: dict[str, Any], grid: dict[str, int], more: dict[str, str]) -> str:
        place = (
            f"grid-column:{grid['x'] + 1}/span {grid['w']};"
            f"grid-row:{grid['y'] + 1}/span {grid['h']};height:{grid['h'] * ROW_PX - 20}px"
        )
        answers = [self._ask(target, more) for target in panel["targets"]]
        draw = getattr(self, f"_{panel['type'].replace('-', '')}")
        shown = draw(panel, answers) if any(answers) else escape(_of_nothing(panel))
        title = escape(filled(panel["title"], **more))
        return f"<section style='{place}'><h2>{title}</h2>{shown}</section>"

    def _ask(self, target: dict[str, Any], more: dict[str, str]) -> list[dict[str, Any]]:
        expression = filled(target["expr"], **more)
        if target.get("instant"):
            found = self.server.ask("query", query=expression, time=f"{self.end}")["result"]
        else:
            found = self.server.ask(
                "query_range", query=expression, start=f"{self.start}", end=f"{self.end}", step="1"
            )["result"]
        for series in found:
            series["legend"] = _legend_of(target.get("legendFormat") or "", series["metric"])
        return list(found)

    # ---- a kind of panel each

    def _stat(self, panel: dict[str, Any], answers: Sequence[Any]) -> str:
        items = (
            f"<span>{escape(one['legend'])} <b>{_figure(one['value'][1], panel)}</b></span>"
            for one in answers[0]
        )
        return f"<div class=n>{''.join(items)}</div>"

    def _table(self, panel: dict[str, Any], answers: Sequence[Any]) -> str:
        options: dict[str, Any] = {}
        for each in panel["transformations"]:
            options |= each["options"]
        renamed, dropped = options["renameByName"], options["excludeByName"]
        rows: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
        for ref, found in zip("ABCDEFGH", answers, strict=False):
            head = f"Value #{ref}" if len(answers) > 1 else "Value"
            for one in found:
                labels = one["metric"]
                row = rows.setdefault(tuple(sorted(labels.items())), dict(labels))
                if head not in dropped:
                    row[renamed.get(head, head)] = _figure(one["value"][1], panel)
        order = options.get("indexByName") or {}
        heads = sorted(
            dict.fromkeys(name for row in rows.values() for name in row),
            key=lambda name: order.get(name, 99),
        )
        linked = {each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]}
        linked -= {"summary"}

        def cell(name: str, text: str) -> str:
            return f"<td>{f'<a>{escape(text)}</a>' if name in linked else escape(text)}</td>"

        body = (
            "<tr>" + "".join(cell(name, row.get(name, "")) for name in heads)
            for row in list(rows.values())[: panel["gridPos"]["h"] + 3]
        )
        return (
            f"<table><tr>{''.join(f'<th>{escape(h)}</th>' for h in heads)}{''.join(body)}</table>"
        )

    def _bargauge(self, panel: dict[str, Any], answers: Sequence[Any]) -> str:
        most = max(float(one["value"][1]) for one in answers[0]) or 1.0
        bars = "".join(
            f"<div style='display:flex;gap:6px;margin:4px 0'><span style='width:34%'>"
            f"{escape(one['legend'])}</span><span style='background:"
            f"{_colour(float(one['value'][1]), panel)};width:"
            f"{50 * float(one['value'][1]) / most:.0f}%'>&nbsp;</span>"
            f"{_figure(one['value'][1], panel)}</div>"
            for one in answers[0]
        )
        return f"<div>{bars}</div>"

    def _barchart(self, panel: dict[str, Any], answers: Sequence[Any]) -> str:
        bins = sorted({one["metric"]["bin"] for found in answers for one in found})
        names = ("reference", "window")
        share = [{o["metric"]["bin"]: float(o["value"][1]) for o in found} for found in answers]
        most = max(v for one in share for v in one.values())
        step = 1000 / len(bins)
        rects = "".join(
            f"<rect x={i * step + k * step * 0.4:.1f} width={step * 0.38:.1f} "
            f"y={200 - 190 * share[k].get(name, 0) / most:.1f} "
            f"height={190 * share[k].get(name, 0) / most:.1f} fill='{COLOURS[k]}'/>"
            for i, name in enumerate(bins)
            for k in range(2)
        )
        legend = _legend(names) if panel["options"]["legend"]["showLegend"] else ""
        words = f"<div class=l>{escape(bins[0])} ... {escape(bins[-1])}; up to {most:.1%}</div>"
        return f"<svg viewBox='0 0 1000 200' preserveAspectRatio=none>{rects}</svg>{words}{legend}"

    def _timeseries(self, panel: dict[str, Any], answers: Sequence[Any]) -> str:
        series = [one for found in answers for one in found]
        values = [float(v) for one in series for _, v in one["values"] if v != "NaN"]
        low, high = min([0.0, *values]), max([*values, 1e-9])
        lines = "".join(
            f"<polyline fill=none stroke='{COLOURS[k % 7]}' stroke-width=2 "
            f"vector-effect=non-scaling-stroke points='{self._points(one, low, high)}'/>"
            for k, one in enumerate(series)
        )
        words = f"{_figure(low, panel)} to {_figure(high, panel)}"
        return (
            f"<svg viewBox='0 0 1000 200' preserveAspectRatio=none>{lines}</svg>"
            f"<div class=l>{words}</div>{_legend(one['legend'] for one in series[:14])}"
        )

    def _points(self, one: dict[str, Any], low: float, high: float) -> str:
        span = self.end - self.start
        return " ".join(
            f"{1000 * (at - self.start) / span:.0f},"
            f"{195 - 190 * (float(v) - low) / (high - low):.1f}"
            for at, v in one["values"]
            if v != "NaN"
        )

    def _statetimeline(self, panel: dict[str, Any], answers: Sequence[Any]) -> str:
        return self._statushistory(panel, answers)

    def _statushistory(self, panel: dict[str, Any], answers: Sequence[Any]) -> str:
        rows = []
        for one in answers[0]:
            cells = "".join(
                f"<rect x={1000 * (at - self.start) / (self.end - self.start):.0f} width=18 "
                f"height=20 fill='{_colour(float(v), panel)}'/>"
                for at, v in one["values"]
            )
            rows.append(
                f"<div style='display:flex'><span style='width:22%'>{escape(one['legend'])}</span>"
                f"<svg viewBox='0 0 1020 20' preserveAspectRatio=none style='height:18px'>{cells}"
                "</svg></div>"
            )
        return "".join(rows)


def _legend_of(form: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda name: labels.get(name[1], ""), form).strip()


def _legend(names: Iterable[str]) -> str:
    items = (
        f"<i style='background:{COLOURS[k % 7]}'></i>{escape(name)}" for k, name in enumerate(names)
    )
    return f"<div class=l>{''.join(items)}</div>"


def _of_nothing(panel: dict[str, Any]) -> str:
    return str(panel["fieldConfig"]["defaults"].get("noValue", "no data"))


def _colour(value: float, panel: dict[str, Any]) -> str:
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    named = [s["color"] for s in steps if s["value"] is None or value >= s["value"]]
    return {"green": "#73bf69", "yellow": "#f2cc0c", "orange": "#ff9830", "red": "#f2495c"}.get(
        named[-1], "transparent"
    )


def _figure(value: object, panel: dict[str, Any]) -> str:
    number, unit = float(str(value)), panel["fieldConfig"]["defaults"].get("unit", "")
    if unit == "percentunit":
        return f"{number:.1%}"
    if unit == "s" and number > 86_400:
        return f"{number / 86_400:,.0f} d"
    if unit == "bytes":
        return f"{number / 2**20:,.0f} MiB"
    return f"{number:,.3g}" if abs(number) < 1_000 else f"{number:,.0f}"


def main() -> None:
    """Scrape a drift for a while and draw all dashboards."""
    browser = find_browser()
    if browser is None:
        sys.exit(f"none of {', '.join(NAMES)} is installed")
    with tempfile.TemporaryDirectory() as folder, scraping(Path(folder)) as server:
        time.sleep(20)  # so that rates have a span
        end = time.time()
        for path in sorted((ROOT / "deploy/grafana/dashboards").glob("*.json")):
            board = json.loads(path.read_text())
            page = Path(folder) / f"{path.stem}.html"
            page.write_text(Sketch(server, board, server.began, end).page())
            rows = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in board["panels"])
            subprocess.run(
                [
                    browser,
                    "--headless",
                    "--no-sandbox",
                    "--hide-scrollbars",
                    f"--screenshot={IMAGES / f'grafana-{path.stem}.png'}",
                    f"--window-size={WIDTH_PX},{rows * ROW_PX + 40}",
                    page.as_uri(),
                ],
                check=True,
                capture_output=True,
            )
    print(f"{datetime.now(UTC):%H:%M}: written to {IMAGES}")


if __name__ == "__main__":
    main()
