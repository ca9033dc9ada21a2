"""A model whose reference has slots, through both stages, a restart and the files of people."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from detectors import InvalidReferenceError, Reference, Seasons, fit_reference
from detectors.fitting.rebase import rebased
from stream.config.load import load_config
from stream.plans.plan import Plan, PlanError
from stream.plans.proposal import propose
from stream.stage2.detection import Detection
from stream.stage2.panes import Sealed

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
MONDAY_MS = 1_767_571_200_000  # 2026-01-05


def fitted(segments: tuple[str, ...] = ()) -> Reference:
    rng = np.random.default_rng(3)
    times = np.sort(MONDAY_MS + rng.integers(0, 3 * WEEK_MS, 20_000))
    sine = np.sin(2 * np.pi * times / DAY_MS)
    columns = {
        "x": sine + rng.normal(size=times.size),
        "c": np.where(rng.random(times.size) < 0.5 + 0.3 * sine, "a", "b"),
    }
    return fit_reference(
        columns, model="m", times_ms=times, seasons=Seasons("auto"), segments=segments
    )


@pytest.fixture(scope="module")
def reference() -> Reference:
    return fitted()


def plan_of(reference: Reference, **said: object) -> Plan:
    pane_ms, max_age_ms = propose(reference)
    settings = {"pane_ms": pane_ms, "window_max_age_ms": max_age_ms} | said
    return Plan(model="m", reference=reference, **settings)  # type: ignore[arg-type]


def panes(reference: Reference, weeks: int, moved: float = 0.0, segment: str = "") -> list[Sealed]:
    """Panes of an hour from the week after the reference on, 40 events each."""
    rng = np.random.default_rng(9)
    layout = reference.layout()
    found = []
    for hour in range(weeks * 168):
        start = MONDAY_MS + 3 * WEEK_MS + hour * HOUR_MS
        sine = np.sin(2 * np.pi * (start + HOUR_MS / 2) / DAY_MS)
        counts = np.zeros(layout.width, np.int64)
        counts[0] = 40
        numeric = (sine + moved + rng.normal(size=40)).reshape(-1, 1)
        names = (rng.random(40) >= 0.5 + 0.3 * sine).astype(np.int32)
        binning = reference.signals[1].binning
        codes = np.array([binning.code["ab"[k]] for k in names], np.int32).reshape(-1, 1)  # type: ignore[union-attr]
        for at in layout.positions(numeric, codes).ravel():
            counts[at] += 1
        scopes = {"": counts} | ({segment: counts} if segment else {})
        found.append(Sealed(start, scopes, {}))
    return found


def findings(detection: Detection, sealed: list[Sealed]) -> list[tuple[int, str, str, str]]:
    found = []
    for pane in sealed:
        for step in [*detection.expire(pane.start_ms), detection.pane(pane)]:
            found += [(step.at_ms, f.signal, f.test, f.segment) for f in step.findings]
    return found


def test_the_season_is_silent_and_a_shift_is_told_against_its_own_hours(
    reference: Reference,
) -> None:
    assert findings(Detection(plan_of(reference)), panes(reference, 3)) == []
    detection = Detection(plan_of(reference))
    told = [
        finding
        for pane in panes(reference, 1, moved=0.8)
        for finding in detection.pane(pane).findings
        if finding.test == "edetector"
    ]
    assert told, "nothing was found"
    first = told[0]
    assert first.signal == "x"
    assert first.end_ms <= MONDAY_MS + 3 * WEEK_MS + 12 * HOUR_MS
    # It began at midnight, where the sine rises: the mean of those hours is not that of a day.
    assert first.direction == 1
    moved = re.search(r"(?:mean|median) (\S+) -> ([\d.]+)", first.change)
    assert moved is not None, first.change
    assert 0.2 < float(moved[1]) < 0.6
    assert float(moved[2]) - float(moved[1]) == pytest.approx(0.8, abs=0.35)


def test_a_restart_at_any_pane_changes_nothing(reference: Reference) -> None:
    sealed = panes(reference, 1, moved=0.3)
    whole = findings(Detection(plan_of(reference)), sealed)
    assert whole
    detection, found = Detection(plan_of(reference)), []
    for at, pane in enumerate(sealed):
        found += findings(detection, [pane])
        if at % 7 == 0:
            fresh = Detection(plan_of(reference))
            fresh.load(detection.dump())
            assert fresh.dump() == detection.dump()
            detection = fresh
    assert found == whole


def test_segments_are_compared_with_slots_too() -> None:
    reference = fitted(segments=("region",))
    plan = plan_of(reference, segments=("region",))
    quiet = findings(Detection(plan), panes(reference, 2, segment="region=north"))
    assert quiet == []
    loud = findings(Detection(plan), panes(reference, 2, moved=1.0, segment="region=north"))
    assert {("x", "psi", "region=north"), ("x", "psi", "")} <= {f[1:] for f in loud}


def test_a_plan_that_no_slot_fits_is_refused(reference: Reference) -> None:
    with pytest.raises(PlanError, match=r"pane must be one hour or less.*Set pane to 60m"):
        plan_of(reference, pane_ms=DAY_MS)
    with pytest.raises(PlanError, match="cycle must be left out: the reference has slots"):
        plan_of(reference, pane_ms=HOUR_MS, cycle_ms=30 * DAY_MS)


def test_an_old_cycle_in_a_config_is_what_the_slots_are(
    reference: Reference, tmp_path: Path
) -> None:
    (tmp_path / "m.json").write_bytes(reference.to_json())
    for cycle in ("24h", "7d"):
        (tmp_path / "c.toml").write_text(
            "[kafka]\nbootstrap_servers = 'h:1'\n[[models]]\nname = 'm'\nreference = 'm.json'\n"
            f"pane = '1h'\ncycle = '{cycle}'\n"
        )
        (plan,) = load_config(tmp_path / "c.toml", {}).plans()
        assert plan.cycle_ms == 0


def test_production_is_not_made_a_reference_with_slots(reference: Reference) -> None:
    table = np.array([pane.counts[""] for pane in panes(reference, 1)])
    with pytest.raises(InvalidReferenceError, match="a reference with slots cannot be made"):
        rebased(reference, reference.signals, table, first_ms=0, last_ms=WEEK_MS)


@pytest.mark.parametrize("wave", ["square", "steps"])
@pytest.mark.parametrize("moved", [False, True])
def test_hours_without_noise_are_silent_and_one_that_moves_is_found(wave: str, moved: bool) -> None:
    def values(times: np.ndarray, late: int) -> np.ndarray:
        hour = times // HOUR_MS % 24 - late
        if wave == "square":
            return np.where((hour >= 9) & (hour < 18), 80.0, 20.0)
        return np.maximum(20.0, 80.0 - 10.0 * np.abs(hour - 14))

    times = MONDAY_MS + 300_000 * np.arange(2_016, dtype=np.int64)
    reference = fit_reference(
        {"x": values(times, 0)}, model="m", times_ms=times, seasons=Seasons("hours")
    )
    layout, sealed = reference.layout(), []
    for start in range(MONDAY_MS + WEEK_MS, MONDAY_MS + 2 * WEEK_MS, HOUR_MS):
        seen = values(start + 300_000 * np.arange(12), 2 if moved else 0).reshape(-1, 1)
        counts = np.zeros(layout.width, np.int64)
        counts[0] = 12
        np.add.at(counts, layout.positions(seen, np.empty((12, 0), np.int32)).ravel(), 1)
        sealed.append(Sealed(start, {"": counts}, {}))
    assert bool(findings(Detection(plan_of(reference)), sealed)) == moved
