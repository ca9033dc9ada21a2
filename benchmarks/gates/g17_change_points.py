"""Gate 17: when a change began, and whether it came at once or over time.

Twenty signals of one kind change at one time, each with a reference of its own; the monitor's own
tests find it at their default settings. Of a step the first finding's interval is to hold the
change, and no later finding may call it a ramp. Of a ramp the first finding seldom can tell; one
that comes while it goes on is to, and its interval is to hold the beginning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.gates.fitted import positions
from benchmarks.gates.g10_memory import autoregressive, moving_average, nightly, slow_part
from benchmarks.gates.measured import Measured, median_of, share_of
from detectors import ChangePoint, accumulate, fit_reference
from detectors.change_points.changepoint import NEAR
from stream.plans.plan import Plan
from stream.stage2.detection import Detection
from stream.stage2.panes import Sealed

__all__ = ["RAMPS", "STEPS", "oracle", "ramps", "run", "steps"]

MINUTE_MS = 60_000
#: Events of a pane, one a minute; panes before the change, to which up to `_SPREAD` are added.
PANE, STEADY, _SPREAD = 20, 400, 100
ROWS, SIGNALS = 10_000, 20
#: Findings of a signal are looked at this far apart, in panes, and so many.
_APART, _LOOKS = 25, 12

Floats = npt.NDArray[np.float64]
Column = npt.NDArray[np.generic]
#: Values of a stream that has grown by so much of the change, 0 to 1, at each event.
Make = Callable[[np.random.Generator, Floats], Column]


def moved(of: Callable[[np.random.Generator, int], Column], sd: float) -> Make:
    """The mean goes up by so many standard deviations."""
    return lambda rng, grown: np.asarray(of(rng, grown.size), np.float64) + sd * grown


def wider(rho: float, factor: float) -> Make:
    """The standard deviation of AR(1) grows."""
    make = autoregressive(rho)
    return lambda rng, grown: np.asarray(make(rng, grown.size)) * factor**grown


def named(more: float, sticky: float = 0.0) -> Make:
    """One of three names, of a share of .1, becomes more frequent; names repeat so often."""

    def make(rng: np.random.Generator, grown: Floats) -> Column:
        fresh = rng.random(grown.size) >= sticky
        fresh[0] = True
        u = rng.random(grown.size)[np.maximum.accumulate(fresh * np.arange(grown.size))]
        rare, often = u < 0.1 + more * grown, u < 0.6 + 0.5 * more * grown
        return np.where(rare, "rare", np.where(often, "often", "other"))

    return make


def lost(share: float, before: float = 0.01) -> Make:
    """More and more values are missing."""

    def make(rng: np.random.Generator, grown: Floats) -> Column:
        gone = rng.random(grown.size) < before + (share - before) * grown
        return np.where(gone, np.nan, rng.normal(size=grown.size))

    return make


@dataclass(frozen=True)
class Step:
    """A sudden change; `sd` and `phi` are what an oracle knows, where it can be said."""

    make: Make
    sd: float | None = None
    phi: float = 1.0
    most_panes: int = 800
    least: float | None = 0.93


def _ar(rho: float, sd: float, most_panes: int = 800) -> Step:
    return Step(moved(autoregressive(rho), sd), sd, (1.0 + rho) / (1.0 - rho), most_panes)


STEPS: dict[str, Step] = {
    "independent, +.5 sd": _ar(0.0, 0.5),
    "independent, +1 sd": _ar(0.0, 1.0),
    "independent, +2 sd": _ar(0.0, 2.0),
    "AR .5, +.5 sd": _ar(0.5, 0.5),
    "AR .5, +1 sd": _ar(0.5, 1.0),
    "AR .9, +.5 sd": _ar(0.9, 0.5),
    "AR .9, +1 sd": _ar(0.9, 1.0),
    "AR .9, +2 sd": _ar(0.9, 2.0),
    "AR .9, sd x 1.5": Step(wider(0.9, 1.5)),
    "AR .97, +1 sd": _ar(0.97, 1.0),
    "AR .97, +2 sd": _ar(0.97, 2.0),
    "AR .99, +1 sd": _ar(0.99, 1.0),
    "AR .99, +2 sd": _ar(0.99, 2.0),
    "MA 300, +2 sd": Step(moved(moving_average(300), 2.0), 2.0, 300.0),
    "noise + OU of 6 h, +.5 sd": Step(moved(slow_part, 0.5)),
    "day levels sd .05, +.5 sd": Step(moved(nightly, 0.5)),
    "a name .1 -> .2": Step(named(0.1)),
    "a name .1 -> .3, repeating .9": Step(named(0.2, 0.9)),
    "missing .01 -> .1": Step(lost(0.1)),
}


@dataclass(frozen=True)
class Ramp:
    """A change that grows evenly over so many events."""

    make: Make
    events: int


RAMPS: dict[str, Ramp] = {
    "independent, to +1 sd in 10,000 events": Ramp(moved(autoregressive(0.0), 1.0), 10_000),
    "independent, to +1 sd in 20,000 events": Ramp(moved(autoregressive(0.0), 1.0), 20_000),
    "AR .5, to +1 sd in 10,000 events": Ramp(moved(autoregressive(0.5), 1.0), 10_000),
    "AR .9, to +2 sd in 10,000 events": Ramp(moved(autoregressive(0.9), 2.0), 10_000),
    "a name .1 -> .3 in 10,000 events": Ramp(named(0.2), 10_000),
    "missing .01 -> .2 in 10,000 events": Ramp(lost(0.2), 10_000),
}


class Told(NamedTuple):
    """A change point that a finding told, and how many panes after the change."""

    panes: int
    point: ChangePoint | None


def _told(
    make: Make, events: int, most_panes: int, looks: int, rng: np.random.Generator
) -> tuple[int, list[list[Told]]]:
    """When the change was, and of each signal what its findings after it told."""
    change = STEADY + int(rng.integers(_SPREAD))
    n = ROWS + (change + most_panes) * PANE
    since = np.arange(n) - (ROWS + change * PANE)
    grown = np.clip((since + 1) / events, 0.0, 1.0) if events else (since >= 0).astype(np.float64)
    columns = {f"s{i:02}": make(rng, grown) for i in range(SIGNALS)}
    times = MINUTE_MS * np.arange(ROWS)
    first = {name: column[:ROWS] for name, column in columns.items()}
    plan = Plan(
        model="null", reference=fit_reference(first, model="null", version="", times_ms=times)
    )
    detection, layout = Detection(plan), plan.layout
    counts = np.zeros((change + most_panes, layout.width), np.int64)
    slots = np.repeat(np.arange(len(counts), dtype=np.int32), PANE)
    accumulate(positions(layout, {k: v[ROWS:] for k, v in columns.items()}), slots, counts)
    told: dict[str, list[Told]] = {name: [] for name in columns}
    for pane, row in enumerate(counts):
        step = detection.pane(Sealed(pane * PANE * MINUTE_MS, {"": row}, {}))
        for finding in step.findings if pane >= change else ():
            held, panes = told[finding.signal], pane - change + 1
            if len(held) < looks and (not held or panes >= held[-1].panes + _APART):
                held.append(Told(panes, finding.change_point))
        if all(len(held) >= looks for held in told.values()):
            break
    return change * PANE * MINUTE_MS, list(told.values())


def _row(
    what: str, hits: list[bool], least: float | None, most: float | None, note: str = ""
) -> Measured:
    share, low, high = share_of(np.array([sum(hits)]), max(1, len(hits)))
    return Measured(what, share, low, high, least=least, most=most, note=note)


def _width(point: ChangePoint) -> float:
    return (point.latest_ms - point.earliest_ms) / (PANE * MINUTE_MS)


def oracle(sd: float, phi: float, seed: int = 171, runs: int = 200) -> float:
    """Median width in panes for one who knows both means and the long-run variance.

    It sees every event, but as here by sums: a likelihood within as much of the largest.
    """
    rng = np.random.default_rng(seed)
    reach = int(40.0 * phi / sd**2) + 20
    noise = rng.normal(size=(runs, 2, reach)) * np.sqrt(phi)
    gain = np.cumsum(sd * noise - sd**2 / 2.0, axis=2) / phi  # of being so many events off
    best = np.maximum(0.0, gain.max(axis=(1, 2)))
    near = gain >= best[:, None, None] - NEAR
    off = np.where(near.any(axis=2), reach - near[:, :, ::-1].argmax(axis=2), 0)
    return float(np.median(off.sum(axis=1))) / PANE


def steps(name: str, *, runs: int = 3, seed: int = 170) -> list[Measured]:
    """Intervals of sudden changes, how wide they are, and how many are called a ramp."""
    of = STEPS[name]
    held, widths, ramped, delays = [], [], [], []
    for k in range(runs):
        rng = np.random.default_rng([seed, sum(map(ord, name)), k])
        true_ms, told = _told(of.make, 0, of.most_panes, _LOOKS, rng)
        for looks in (looks for looks in told if looks):
            first = looks[0].point
            delays.append(looks[0].panes)
            ramped.append(any(p is not None and p.shape == "ramp" for _, p in looks))
            if first is not None and first.confidence is not None:
                held.append(first.earliest_ms <= true_ms <= first.latest_ms)
                widths.append(_width(first))
    note = (
        f"{len(held)} told with an interval of {len(delays)} found of {runs * SIGNALS} signals, "
        f"after {np.median(delays):.0f} panes"
    )
    known = f"an oracle's {oracle(of.sd, of.phi):.2g}" if of.sd is not None else ""
    return [
        _row(f"{name}: intervals of 95 % that hold the change", held, of.least, None, note),
        Measured(f"{name}: width in panes of 20", *median_of(np.array(widths)), note=known),
        _row(f"{name}: called a ramp in any of {_LOOKS} findings", ramped, None, 0.05),
    ]


def ramps(name: str, *, runs: int = 2, seed: int = 172) -> list[Measured]:
    """Whether a ramp is told as one before it ends, and from its beginning."""
    of = RAMPS[name]
    called, held, widths, seen = [], [], [], []
    for k in range(runs):
        rng = np.random.default_rng([seed, sum(map(ord, name)), k])
        true_ms, told = _told(of.make, of.events, of.events // PANE, 2 * _LOOKS, rng)
        for looks in told:
            point, panes = next(
                ((p, at) for at, p in looks if p is not None and p.shape == "ramp"), (None, 0)
            )
            called.append(point is not None)
            if point is not None:
                held.append(point.earliest_ms <= true_ms <= point.latest_ms)
                widths.append(_width(point))
                seen.append(panes)
    note = f"of {of.events // PANE}; told so after {np.median(seen):.0f}" if seen else ""
    return [
        _row(f"{name}: called a ramp while it goes on", called, 0.8, None),
        _row(f"{name}: intervals of 95 % that hold its beginning", held, 0.9, None),
        Measured(
            f"{name}: width in panes of 20", *median_of(np.array(widths or [np.inf])), note=note
        ),
    ]


def run(
    runs: int = 3,
    of_steps: tuple[str, ...] = tuple(STEPS),
    of_ramps: tuple[str, ...] = tuple(RAMPS),
) -> list[Measured]:
    """Every step, then every ramp."""
    rows = [row for name in of_steps for row in steps(name, runs=runs)]
    return rows + [row for name in of_ramps for row in ramps(name, runs=max(1, runs - 1))]
