from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from detectors.counting.outcome_cells import OutcomeCells
from detectors.outcomes.relation_evidence import RelationEvidence
from detectors.outcomes.residual_effects import DesignEffects
from tests.detectors.outcomes.draws import SCORED, SCORES, Scores

BETS = (0.1, 0.2, 0.4, 0.8, 1.6)


class Naive:
    """The mixture as written, on strata (did not come, came)."""

    def __init__(self, strata: list[tuple[int, int]], a: float, z: float, phi: tuple) -> None:
        n = sum(map(sum, strata))
        share = [c / (d + c) if d + c else 0.0 for d, c in strata]
        before, rank = 0, []
        for d, c in strata:
            rank.append((before + (d + c) / 2) / n)
            before += d + c
        self.a, self.processes, self.m = a, [], []
        for axis, of in enumerate(phi):
            weight = [1.0 if axis == 0 else 2 * r - 1 for r in rank]
            spread = (
                math.fsum(
                    (d + c) * w * w * p * (1 - p)
                    for (d, c), w, p in zip(strata, weight, share, strict=True)
                )
                / n
            )
            bound = z * max(math.sqrt(of * spread / n), 1 / n)
            for sign in (1, -1):
                for bet in BETS:
                    factors = []
                    for (d, c), w, p in zip(strata, weight, share, strict=True):
                        apart = [sign * w * (y - p) - bound for y in (0, 1)] if d + c else [0, 0]
                        stake = bet * 0.5 / max(0.5, -min(apart))
                        factors.append([(1 + stake * x) for x in apart])
                    temper = 1.25 * of if of > 1 else 1.0
                    self.processes.append((factors, temper, 8 / (1.25 * of)))
                    self.m.append(0.0)

    def update(self, strata: list[tuple[int, int]]) -> bool:
        n = sum(map(sum, strata))
        if not n:
            return False
        for k, (factors, temper, start) in enumerate(self.processes):
            growth = math.fsum(
                (d * math.log(zero) + c * math.log(one)) / temper
                for (d, c), (zero, one) in zip(strata, factors, strict=True)
            )
            self.m[k] = (self.m[k] + min(1.0, n * start)) * math.exp(growth)
        self.evidence = math.log(sum(self.m) / 20)
        if self.evidence > math.log(self.a):
            self.m = [0.0] * 20
            return True
        return False


@pytest.mark.parametrize("phi", [DesignEffects(), DesignEffects(3.0, 1.5, 1.2)])
def test_it_equals_its_twin(phi: DesignEffects) -> None:
    scores, rng = Scores(0.1, 0.1), np.random.default_rng(0)
    reference = scores.cells(rng, 2_000)
    SCORED.calibration(reference)[7] = 0  # a bin of which nothing is known
    strata = [tuple(row) for row in SCORED.calibration(reference).tolist()]
    ours = RelationEvidence(SCORED, reference, threshold=50.0, z=1.0, phi=phi)
    twin = Naive(strata, 50.0, 1.0, phi[:2])
    alarms = 0
    for t in range(150):
        n = int(rng.integers(0, 30))
        pane = scores.cells(rng, n, lambda s, t=t: s if t < 75 else 1.0 - s)
        wanted = twin.update([tuple(row) for row in SCORED.calibration(pane).tolist()])
        assert ours.update(pane) == wanted
        if n and not wanted:
            # Growth is rounded down, to one of 65,535 steps: never more evidence.
            assert twin.evidence - 0.01 < ours.evidence < twin.evidence + 1e-9
        alarms += wanted
    assert alarms


@pytest.mark.parametrize("kind", SCORES)
def test_false_alarms_are_within_its_bound(kind: str) -> None:
    scores, rng = Scores(*SCORES[kind]), np.random.default_rng(1)
    alarms, panes, threshold = 0, 1_500, 100.0
    for _ in range(10):
        ours = RelationEvidence(SCORED, scores.cells(rng, 3_000), threshold=threshold, z=2.0)
        alarms += sum(ours.update(scores.cells(rng, 20)) for _ in range(panes))
    least = stats.chi2.ppf(0.005, 2 * alarms) / 2 if alarms else 0.0
    assert least <= 10 * panes / threshold


def test_scores_that_move_bring_no_alarm() -> None:
    scores, rng = Scores(1, 1), np.random.default_rng(2)
    law = np.diff(stats.norm.cdf(stats.norm.ppf(np.arange(65) / 64) - 0.8))
    for _ in range(10):
        ours = RelationEvidence(SCORED, scores.cells(rng, 10_000), threshold=1e5)
        assert not any(ours.update(scores.cells(rng, 50, law=law)) for _ in range(1_000))


@pytest.mark.parametrize(
    ("changed", "axis", "direction"),
    [
        (lambda s: s + 0.15, "residual", 1),
        (lambda s: s - 0.15, "residual", -1),
        (lambda s: 1.0 - s, "order", -1),
        (lambda s: 0.5 + 2.0 * (s - 0.5), "order", 1),
    ],
)
def test_it_says_what_moved(changed, axis: str, direction: int) -> None:
    scores, rng = Scores(1, 1), np.random.default_rng(3)
    ours = RelationEvidence(SCORED, scores.cells(rng, 10_000), threshold=1e5)
    assert any(ours.update(scores.cells(rng, 20, changed)) for _ in range(60))
    assert (ours.axis, ours.direction) == (axis, direction)


def test_without_a_score_it_watches_whether_predictions_come_true() -> None:
    cells = OutcomeCells("binary", "actual", predicted="said", classes=("ok", "fraud"))
    reference, pane = (np.zeros(cells.width, np.int64) for _ in range(2))
    cells.confusion(reference)[:2, :2] = [[9_000, 1_000], [200, 1_800]]
    ours = RelationEvidence(cells, reference, threshold=1e5)
    cells.confusion(pane)[:2, :2] = [[18, 2], [1, 9]]
    assert not any(ours.update(pane) for _ in range(500))
    cells.confusion(pane)[:2, :2] = [[14, 6], [3, 7]]
    assert any(ours.update(pane) for _ in range(60))
    assert (ours.axis, ours.direction) == ("residual", -1)


def test_it_survives_restarts() -> None:
    scores, rng = Scores(1, 1), np.random.default_rng(4)
    reference = scores.cells(rng, 3_000)
    whole, parted = (RelationEvidence(SCORED, reference, threshold=30.0, z=1.0) for _ in range(2))
    alarms = 0
    for t in range(60):
        if t % 7 == 0:
            state = parted.dump()
            assert len(state) == 160
            parted = RelationEvidence(SCORED, reference, threshold=30.0, z=1.0)
            parted.load(state)
        pane = scores.cells(rng, 20, lambda s: s + 0.1)
        alarm = whole.update(pane)
        assert parted.update(pane) == alarm
        assert parted.evidence == whole.evidence
        alarms += alarm
    assert alarms > 1
    with pytest.raises(ValueError, match="bytes"):
        whole.load(b"\0" * 8)
    with pytest.raises(ValueError, match="finite"):
        whole.load(np.full(20, np.nan).tobytes())
