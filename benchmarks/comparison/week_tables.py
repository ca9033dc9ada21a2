"""Tables of what was measured on living streams: one a stream, and one of them all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.comparison.living import AFTER, LIVING, SHIFT, WEEK
from benchmarks.figures import table

__all__ = ["OURS", "TRIVIAL", "week_tables"]

OURS = ("driftstream, fit --slots auto", "driftstream, without slots")
TRIVIAL = ("never", "always in alarm", "every 1,000", "at random, once a week")
#: Measured false alarms a week of a tuned setting that may be called about one.
_ABOUT_ONE = 2.0
_FEW = 10
_SHIFT = f"+{SHIFT:g} sd".replace("0.", ".")
_COLUMNS = ("false alarms a week (95 %)", "time in alarm", f"{_SHIFT}: found after")

Cell = Mapping[str, Any]


def _show(x: float) -> str:
    if x >= 1_000:
        return f"{x:,.0f}"
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def _percent(share: float) -> str:
    return f"{share:.1%}" if 0 < share < 0.1 else f"{share:.0%}"


def rate(cell: Cell) -> str:
    """Alarms a week with their interval."""
    null = cell["null"]
    return f"{_show(null['rate'])} ({_show(null['low'])} to {_show(null['high'])})"


def in_alarm(cell: Cell) -> str:
    """Share of time, with its interval where it is not exact."""
    if "share" not in cell["null"]:
        return "-"
    mean, low, high = cell["null"]["share"]
    if low == high or cell["null"]["streams"] < 2:
        return _percent(mean)
    return f"{_percent(mean)} ({_percent(low)} to {_percent(high)})"


def by_chance(cell: Cell) -> float:
    """The median wait for an alarm that knows nothing, at this rate of them."""
    often = cell["null"]["rate"]
    return math.log(2) / often * WEEK if often else math.inf


def found(cell: Cell, *, chance: bool = True) -> str:
    """Median / 95 % quantile of the delays, what was missed, and the wait by chance alone."""
    power = cell["power"]
    if power is None:
        return "too slow"
    already = power["already"]
    if not power["changes"]:
        return "in alarm before"
    missed = power["missed"] / power["changes"]
    if power["median"] is None:
        text = "all missed" if missed == 1 else f"{missed:.0%} missed"
    else:
        late = "missed" if power["p95"] is None else f"{power['p95']:,.0f}"
        text = f"{power['median']:,.0f} / {late}" + (f", {missed:.0%} missed" if missed else "")
    if already:
        text += f", {already / power['runs']:.0%} in alarm before"
    if chance and by_chance(cell) < AFTER * WEEK:
        text += f"; by chance {by_chance(cell):,.0f}"
    return text + (f" ({power['runs']} runs)" if power["runs"] < _FEW else "")


def _cells(cell: Cell | None) -> list[str]:
    if cell is None:
        return [""] * 3
    if "null" not in cell:
        return [cell["why_not"], "", ""]
    return [rate(cell), in_alarm(cell), found(cell)]


def _ordered(held: Mapping[str, Any]) -> Iterator[str]:
    """Ours, the trivial ones, the peers."""
    first = [name for name in (*OURS, *TRIVIAL) if name in held]
    yield from first
    yield from (name for name in held if name not in first)


def _of_stream(held: Mapping[str, Any], stream: str, suffix: str = "") -> str:
    rows = []
    for name in _ordered(held):
        cells = held[name]["streams"].get(stream)
        if not cells or (suffix and f"default{suffix}" not in cells and name not in OURS[:1]):
            continue
        usual = cells.get(f"default{suffix}") or cells["default"]
        tuned = cells.get(f"tuned{suffix}")
        setting = (
            "" if tuned is None or tuned.get("setting") is None else (f"{tuned['setting']:.3g}")
        )
        rows.append([name, *_cells(usual), setting, *_cells(tuned)])
    header = ["at its default", *_COLUMNS, "tuned to", *_COLUMNS]
    return table(header, rows)


def _range(values: list[float], write: Any) -> str:
    if not values:
        return ""
    low, high = write(min(values)), write(max(values))
    return low if low == high else f"{low} to {high}"


def _soonest(peers: Mapping[str, Any], stream: str, treatment: str) -> list[str]:
    """The tuned peer with the least median delay, of those that give about one false alarm."""
    best: tuple[float, str, Cell] | None = None
    for name, held in peers.items():
        cell = held["streams"].get(stream, {}).get(treatment)
        if not cell or "null" not in cell or not cell["power"]:
            continue
        median = cell["power"]["median"]
        if median is None or cell["null"]["rate"] > _ABOUT_ONE:
            continue
        if best is None or median < best[0]:
            best = median, name, cell
    if best is None:
        return ["none", ""]
    return [f"{best[1]}: {found(best[2], chance=False)}", _show(best[2]["null"]["rate"])]


def overview(held: Mapping[str, Any]) -> str:
    """A row a stream: ours, the peers at their defaults, the soonest tuned one."""
    peers = {name: of for name, of in held.items() if name not in (*OURS, *TRIVIAL)}
    rows = []
    for stream, living in LIVING.items():
        ours = held.get(OURS[0], {"streams": {}})["streams"].get(stream, {}).get("default")
        usual = [of["streams"].get(stream, {}).get("default", {}) for of in peers.values()]
        usual = [cell for cell in usual if "null" in cell]
        items = [cell["null"]["rate"] for cell in usual if "share" not in cell["null"]]
        windows = [cell["null"] for cell in usual if "share" in cell["null"]]
        rows.append(
            [
                stream,
                *_cells(ours),
                _range(items, _show),
                _range([null["rate"] for null in windows], _show),
                _range([null["share"][0] for null in windows], _percent),
                *_soonest(peers, stream, "tuned"),
            ]
        )
        if living.seasonal:
            rows.append(
                [f"{stream}, less its season"]
                + [""] * 6
                + _soonest(peers, stream, "tuned, less season")
            )
    header = [
        "stream in which nothing changes",
        *(f"driftstream: {column}" for column in _COLUMNS),
        "peers of items, default: false alarms a week",
        "windowed peers, default: false alarms a week",
        "time in alarm",
        f"soonest tuned peer, {_SHIFT}: found after",
        "its false alarms a week",
    ]
    return table(header, rows)


def week_tables(result: Mapping[str, Any]) -> dict[str, str]:
    """Text by the name of its markers."""
    held = result["contestants"]
    made = {"weeks": overview(held)}
    for stream, living in LIVING.items():
        made[f"weeks-{stream}"] = _of_stream(held, stream)
        if living.seasonal:
            made[f"weeks-{stream}, less its season"] = _of_stream(held, stream, ", less season")
    return made
