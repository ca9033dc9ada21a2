"""Tables in Markdown from the results of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.comparison.rates import TARGETS
from benchmarks.comparison.streams import CHANGES
from benchmarks.comparison.tcpd import PUBLISHED
from benchmarks.figures import table

__all__ = ["all_tables", "headline"]

#: Cells of fewer runs say how many they had.
_FEW = 10


def _rate(cell: Mapping[str, Any] | None) -> str:
    if cell is None or not cell["items"]:
        return ""
    return f"{_show(cell['rate'])} ({_show(cell['low'])} to {_show(cell['high'])})"


def _show(x: float) -> str:
    if x >= 100:
        return f"{x:,.0f}"
    return f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def _delay(cell: Mapping[str, Any] | None) -> str:
    """Median / 95 % quantile, what was missed, and a word where runs were few."""
    if cell is None or not cell["changes"]:
        return "too slow"
    missed = cell["missed"] / cell["changes"]
    few = f" ({cell['runs']} runs)" if cell.get("runs", _FEW) < _FEW else ""
    if cell["median"] is None:
        return ("all missed" if missed == 1 else f"{missed:.0%} missed") + few
    late = "missed" if cell["p95"] is None else f"{cell['p95']:,.0f}"
    text = f"{cell['median']:,.0f} / {late}"
    return text + (f", {missed:.0%} missed" if missed else "") + few


def _false(results: Mapping[str, Any], nulls: tuple[str, ...]) -> str:
    rows = []
    for name, held in results.items():
        cells = held["nulls"].get("default", {})
        if not any(null in cells for null in nulls):
            continue
        first = next(cells[null] for null in nulls if null in cells)
        million, ns = f"{first['items'] / 1e6:.3g}", f"{first['ns']:,.0f}"
        rates = [_rate(cells.get(null)) for null in nulls]
        rows.append([name, *rates, million, ns, held["note"]])
    return table(["at its default", *nulls, "million items", "ns a value", "note"], rows)


def _matched_false(results: Mapping[str, Any]) -> str:
    rows = []
    for name, held in results.items():
        row = [name]
        for target in TARGETS:
            setting = held["settings"].get(str(target))
            cell = held["nulls"].get(str(target), {}).get(held["main_null"])
            row += ["" if setting is None else f"{setting:.4g}", _rate(cell)]
        if any(row[1:]):
            rows.append(row)
    header = ["matched"]
    for target in TARGETS:
        header += [f"setting for {target} a million", "measured"]
    return table(header, rows)


def _delays(results: Mapping[str, Any], label: str, kinds: tuple[str, ...]) -> str:
    names = [name for name, change in CHANGES.items() if change.kind in kinds]
    rows = []
    for contestant, held in results.items():
        cells = held["delays"].get(label, {})
        present = [name for name in names if name in cells]
        if not present:
            continue
        rate = held["nulls"].get(label, {}).get(held["main_null"])
        row = [contestant]
        if len(names) > 2:
            row.append("" if rate is None else _show(rate["rate"]))
        rows.append(row + [_delay(cells[n]) if n in cells else "" for n in names])
    first = ["contestant"] + (["false alarms a million"] if len(names) > 2 else [])
    return table([*first, *names], rows)


def _real(results: Mapping[str, Any], key: str, unit: float) -> str:
    names = list(dict.fromkeys(n for held in results.values() for n in held.get(key, {})))
    header = ["at its default"]
    for name in names:
        header += [f"{name}: delay", f"false alarms a {unit:,.0f}"]
    rows = []
    for contestant, held in results.items():
        if not held.get(key):
            continue
        row = [contestant]
        for name in names:
            cell = held[key].get(name)
            if cell is None:
                row += ["", ""]
                continue
            row.append(_delay(cell) if cell["changes"] else "")
            row.append(_show(cell["false"] / cell["before"] * unit) if cell["before"] else "")
        rows.append(row)
    return table(header, rows)


def _tcpd(rows: list[dict[str, Any]]) -> str:
    listed = [
        [
            r["contestant"],
            f"{r['f1']:.3f}",
            f"{r['cover']:.3f}",
            str(r["found"]),
            f"{r['series']} series, here",
        ]
        for r in rows
    ]
    listed += [[name, f"{f1:.3f}", "", "", "published"] for name, f1 in PUBLISHED.items()]
    listed.sort(key=lambda row: -float(row[1]))
    return table(["detector", "F1", "cover", "points found", "source"], listed)


#: Of the front page: contestants, and changes at settings matched to one false alarm a million.
_FRONT = (
    "driftstream, default set", "river ADWIN", "river PageHinkley", "river KSWIN", "river HDDM_A",
    "evidently PSI", "never", "every 1,000",
)  # fmt: skip
_FRONT_CHANGES = {
    "sudden +.25 sd": "mean +.25 sd", "gradual to +.5 sd over 20,000": "gradual, to +.5 sd",
    "spread x1.5": "spread x1.5", "shape only: two humps": "shape only",
}  # fmt: skip
_FRONT_ERRORS = "errors .2 -> .3"


def headline(results: Mapping[str, Any]) -> str:
    """Median delays of some, each at the setting that gives about one false alarm a million."""
    rows = []
    for name in _FRONT:
        held = results["contestants"].get(name)
        if held is None:
            continue
        label = "1" if "1" in held["settings"] else "default"
        rate = held["nulls"].get(label, {}).get(held["main_null"])
        dependent = held["nulls"]["default"].get("AR(1) .5")
        rows.append(
            [
                name + (", default" if label == "default" and name.startswith("river") else ""),
                _rate(rate),
                "" if dependent is None else _show(dependent["rate"]),
                *(_median(held["delays"].get(label, {}), change) for change in _FRONT_CHANGES),
                _median(held["delays"]["default"], _FRONT_ERRORS),
            ]
        )
    return table(
        [
            "",
            "false alarms a million (95 %)",
            "on AR(1) .5, default",
            *_FRONT_CHANGES.values(),
            f"{_FRONT_ERRORS}, default",
        ],
        rows,
    )


def _median(cells: Mapping[str, Any], change: str) -> str:
    cell = cells.get(change)
    if change not in cells:
        return ""
    if cell is None or not cell["changes"]:
        return "too slow"
    if cell["median"] is None:
        return f"{cell['missed'] / cell['changes']:.0%} missed"
    return f"{cell['median']:,.0f}"


def all_tables(results: Mapping[str, Any]) -> dict[str, str]:
    """Text by the name of its markers."""
    held = results["contestants"]
    made = {
        "false-alarms": _false(held, ("N(0,1)", "AR(1) .5", "AR(1) .9")),
        "false-alarms-other": _false(held, ("errors .2", "5 categories")),
        "matched": _matched_false(held),
    }
    for label in ("default", *map(str, TARGETS)):
        made[f"delays-{label}"] = _delays(held, label, ("number",))
        made[f"delays-other-{label}"] = _delays(held, label, ("binary", "category"))
    made["insects"] = _real(held, "insects", 1_000)
    made["errors"] = _real(held, "errors", 1_000)
    made["nab"] = _real(held, "nab", 1_000)
    made["tcpd"] = _tcpd(results.get("tcpd", []))
    missing = dict(results["missing"])
    for name, found in held.items():
        for part, why in found.get("refused", {}).items():
            missing[f"{name}, {part}"] = why
    made["missing"] = (
        table(["who", "why not"], [[name, why] for name, why in missing.items()])
        if missing
        else ("All libraries could be installed.")
    )
    return made
