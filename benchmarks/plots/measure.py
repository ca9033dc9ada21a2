"""What the plots show and no gate measures: `python -m benchmarks.plots --measure`."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.gates.draws import ar1, count_values
from benchmarks.gates.g5_windows import bank_of, tails
from benchmarks.gates.g9_budget import simulate
from benchmarks.gates.measured import rate_of, share_of
from benchmarks.gates.setting import ROWS
from detectors import AdwinBank, EDetectorBank, ScoreTable, fit_reference

__all__ = ["budgets", "course", "inflation"]

PANE, WINDOW = 100, 1_000
#: Settings of gate 6.
DELTA, THRESHOLD, LEVEL = 0.002, 1e4, 1e-2


def inflation(
    references: int = 100,
    items: int = 300_000,
    rhos: tuple[float, ...] = (0, 0.3, 0.5, 0.7, 0.9),
    seed: int = 401,
) -> list[dict[str, Any]]:
    """False alarms on AR(1) streams of references with times, which see dependence, and without."""
    rows = []
    for rho in rhos:
        rng = np.random.default_rng(seed + round(100 * rho))
        values = ar1(rng, ROWS, rng.standard_normal(references), rho)
        columns = {f"r{i}": column for i, column in enumerate(values.T.copy())}
        times = np.arange(ROWS, dtype=np.int64) * 1_000
        for seen in (True, False):
            fitted = fit_reference(columns, model="null", times_ms=times if seen else None)
            layout = fitted.layout()
            table = ScoreTable(fitted.signals, layout)
            adwin = AdwinBank(references, DELTA, np.ascontiguousarray(table.phi[:, 0]))
            e = EDetectorBank(fitted.signals, layout, threshold=THRESHOLD)
            windows = bank_of(fitted, layout, ("psi",))
            found = {name: np.zeros(references, np.int64) for name in ("adwin", "edetector", "psi")}
            last, window = values[-1].copy(), np.zeros(layout.width, np.int64)
            stream = np.random.default_rng(seed + 1_000 + round(100 * rho))
            for pane in range(1, items // PANE + 1):
                counts = count_values(layout, ar1(stream, PANE, last, rho))
                moments = (np.ascontiguousarray(m[:, 0]) for m in table.moments(counts))
                found["adwin"] += adwin.update(*moments)
                found["edetector"] += e.update(counts)
                window += counts
                if pane % (WINDOW // PANE) == 0:
                    signal, p = tails(windows, window)["psi"]
                    np.add.at(found["psi"], signal[p <= LEVEL], 1)
                    window[:] = 0
            row: dict[str, Any] = {"rho": rho, "seen": seen, "millions": references * items / 1e6}
            for name in ("adwin", "edetector"):
                row[name] = [float(v) for v in rate_of(found[name], items / 1e6)]
            row["psi"] = [float(v) / LEVEL for v in share_of(found["psi"], items / WINDOW)]
            rows.append(row)
            print(row, flush=True)
    return rows


def budgets(
    asked: tuple[float, ...] = (0.25, 1.0, 4.0, 16.0), weeks: int = 200, seed: int = 402_000
) -> list[dict[str, Any]]:
    """Episodes a week of the subject of gate 9 under several budgets."""
    rows = []
    for each in asked:
        row, _ = simulate(
            f"F = {each:g}",
            weeks=weeks,
            subjects=20,
            events_per_week=10_080.0,
            pane_ms=1_200_000,
            seed=seed,
            most_rate=each,
            false_alarms_per_week=each,
        )
        rows.append(
            {"asked": each, "rate": row.value, "low": row.low, "high": row.high, "note": row.note}
        )
        print(rows[-1], flush=True)
    return rows


def course(
    seed: int = 7, before: int = 6_000, after: int = 3_000, pane: int = 20
) -> dict[str, Any]:
    """One stream whose mean moves by .25 sd: what the detectors see, pane by pane."""
    rng = np.random.default_rng(seed)
    fitted = fit_reference({"x": rng.standard_normal(ROWS)}, model="one")
    layout = fitted.layout()
    table = ScoreTable(fitted.signals, layout)
    adwin = AdwinBank(1, DELTA)
    e = EDetectorBank(fitted.signals, layout, threshold=THRESHOLD)
    values = rng.standard_normal(before + after)
    values[before:] += 0.25
    out: dict[str, Any] = {
        "pane": pane,
        "change": before,
        "threshold": np.log10(THRESHOLD),
        "evidence": [],
        "width": [],
        "mean": [],
        "adwin": [],
        "edetector": [],
    }
    for start in range(0, values.size, pane):
        counts = count_values(layout, values[start : start + pane, None])
        moments = (np.ascontiguousarray(m[:, 0]) for m in table.moments(counts))
        if adwin.update(*moments)[0]:
            out["adwin"].append(start + pane)
        if e.update(counts)[0]:
            out["edetector"].append(start + pane)
        out["evidence"].append(round(float(e.evidence[0]) / np.log(10), 3))
        out["width"].append(int(adwin.width[0]))
        out["mean"].append(round(float(adwin.mean[0]), 4))
    return out
