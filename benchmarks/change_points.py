"""Do 95 % intervals of change points hold the true change in 95 % of all cases?

`python -m benchmarks.change_points [runs]` prints the table of docs/alerts.md: sudden changes of a
normal mean, and of its spread, in independent and in AR(1) streams, through the monitor's own
tests at their default settings.
"""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt

from detectors import Reference, fit_reference
from stream.monitoring.panes import Sealed
from stream.monitoring.watch import Watch
from stream.plans.plan import Plan

PANE_MS = 10_000
ROWS = 10_000
STEADY = 400
MOST = 4_000

Floats = npt.NDArray[np.float64]


def ar1(rng: np.random.Generator, size: int, rho: float) -> Floats:
    """A stream of variance 1."""
    noise = rng.normal(size=size)
    if not rho:
        return noise
    noise[1:] *= np.sqrt(1.0 - rho * rho)
    values = np.empty(size)
    last = 0.0
    for i, step in enumerate(noise.tolist()):
        last = rho * last + step
        values[i] = last
    return values


def fitted(rng: np.random.Generator, rho: float, pane: int) -> Reference:
    """A reference in the order of time, whose rate is the stream's."""
    times = np.arange(ROWS, dtype=np.int64) * (PANE_MS // pane)
    values = {"x": ar1(rng, ROWS, rho)}
    return fit_reference(values, model="m", version="", times_ms=times)


def one(rng: np.random.Generator, rho: float, shift: float, spread: float, pane: int) -> Floats:
    """Of one change: whether it was held, interval, error and delay in panes; NaN if missed."""
    plan = Plan("m", fitted(rng, rho, pane))
    watch = Watch(plan)
    binning = plan.monitored[0].binning
    change = STEADY + int(rng.integers(0, 100))
    values = ar1(rng, (change + MOST) * pane, rho).reshape(-1, pane)
    values[change:] = values[change:] * spread + shift
    true_ms = change * PANE_MS
    for at, batch in enumerate(values):
        counts = np.zeros(plan.layout.width, np.int64)
        counts[0] = pane
        counts[1:] = np.bincount(binning.bin(batch), minlength=binning.n_bins)
        step = watch.pane(Sealed(at * PANE_MS, {"": counts}, {}))
        if at < change or not step.findings:
            continue
        point = step.findings[0].change_point
        if point is None or point.confidence is None:
            return np.array([np.nan] * 4)
        lasted = (point.latest_ms - point.earliest_ms) / PANE_MS
        error = abs(point.estimate_ms - true_ms) / PANE_MS
        held = point.earliest_ms <= true_ms <= point.latest_ms
        return np.array([held, lasted, error, at - change + 1])
    return np.array([np.nan] * 4)


def main(runs: int) -> None:
    """Print a row for each kind of stream and change."""
    print("| stream | change | events a pane | told | held | interval | error | delay |")
    print("|---|---|---|---|---|---|---|---|")
    for rho in (0.0, 0.5, 0.9):
        for pane in (20, 100):
            for shift, spread in ((0.25, 1.0), (0.5, 1.0), (1.0, 1.0), (0.0, 1.5)):
                rng = np.random.default_rng(7)
                got = np.array([one(rng, rho, shift, spread, pane) for _ in range(runs)])
                seen = got[~np.isnan(got[:, 0])]
                said = f"mean +{shift} sd" if shift else f"sd x{spread}"
                middle = np.median(seen[:, 1:], axis=0)
                stream = f"AR(1) {rho}" if rho else "independent"
                print(
                    f"| {stream} | {said} | {pane} | {len(seen) / runs:.0%} | "
                    f"{seen[:, 0].mean():.1%} | {middle[0]:.0f} | {middle[1]:.0f} | "
                    f"{middle[2]:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
