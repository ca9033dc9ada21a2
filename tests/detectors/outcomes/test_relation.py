from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from detectors.counting.outcome_cells import OutcomeCells
from detectors.outcomes.relation import Relation, severity_of_gap
from detectors.outcomes.residual_effects import DesignEffects, design_effects
from tests.detectors.outcomes.draws import SCORED, SCORES, Scores


def interval(found: int, of: int) -> tuple[float, float]:
    """Of 99.9 %."""
    exact = stats.binomtest(found, of).proportion_ci(0.999)
    return float(exact.low), float(exact.high)


@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize("rows", [1_000, 10_000])
def test_false_alarms_are_as_many_as_allowed(kind: str, rows: int) -> None:
    scores, rng = Scores(*SCORES[kind]), np.random.default_rng(1)
    p = []
    for _ in range(20):
        relation = Relation(SCORED, scores.cells(rng, rows))
        for _ in range(100):
            result = relation.test(scores.cells(rng, 500), 0.05)
            assert result is not None
            assert result.found == (result.p_value <= 0.05) == (result.value >= result.threshold)
            p.append(result.p_value)
    for level in (0.05, 0.01):
        low, high = interval(int(np.count_nonzero(np.array(p) <= level)), len(p))
        assert low <= 1.25 * level
        assert high >= 0.8 * level


def test_scores_that_move_are_no_finding() -> None:
    scores, rng = Scores(1, 1), np.random.default_rng(2)
    moved = stats.norm.cdf(stats.norm.ppf(np.arange(65) / 64) - 0.8)  # by .8 sd of a normal score
    law = np.diff(moved)
    found = 0
    for _ in range(10):
        relation = Relation(SCORED, scores.cells(rng, 5_000))
        for _ in range(50):
            result = relation.test(scores.cells(rng, 1_000, law=law), 0.01)
            assert result is not None
            found += result.found
    assert interval(found, 500)[0] <= 0.0125


@pytest.mark.parametrize("kind", SCORES)
def test_labels_shuffled_or_swapped_are_found_in_one_window(kind: str) -> None:
    scores, rng = Scores(*SCORES[kind]), np.random.default_rng(3)
    relation = Relation(SCORED, scores.cells(rng, 10_000))
    base = float(scores.law @ scores.share)
    n = 2_000 if kind == "rare" else 500  # 50 that come
    shuffled = relation.test(scores.cells(rng, n, lambda s: np.full_like(s, base)), 1e-6)
    swapped = relation.test(scores.cells(rng, n, lambda s: 1.0 - s), 1e-6)
    assert shuffled is not None
    assert shuffled.found
    assert swapped is not None
    assert swapped.found
    assert severity_of_gap(swapped.effect) == "critical"


def test_a_model_that_was_nearly_always_right() -> None:
    cells = np.zeros(SCORED.width, np.int64)
    SCORED.calibration(cells)[:32, 0] = SCORED.calibration(cells)[32:64, 1] = 50_000 // 32
    relation = Relation(SCORED, cells)
    half = np.zeros(SCORED.width, np.int64)
    SCORED.calibration(half)[:32, 0] = SCORED.calibration(half)[32:64, 1] = 3
    assert relation.test(half, 0.01) is None
    assert "more than one outcome" in relation.why_not(half)
    calibration = SCORED.calibration(half)
    calibration[:] = calibration[:, ::-1]  # now always wrong
    result = relation.test(half, 1e-9)
    assert result is not None
    assert result.found
    assert result.value == 192
    assert result.effect == pytest.approx(1.0, abs=0.02)
    assert relation.describe(half) in (
        "'fraud' came in 100 % of 96 events with score bins 0 to 31 (usually 0 %)",
        "'fraud' came in 0 % of 96 events with score bins 32 to 65 (usually 100 %)",
    )
    calibration[:] = 0
    calibration[1:32, 0], calibration[0, 1] = 6, 1  # one mistake, in an event of 1,563 alike
    one = relation.test(half, 5e-4)
    assert one is not None
    assert one.value == 1.0
    assert one.p_value == pytest.approx(1 / 1_563, rel=1e-3)
    assert not one.found


def test_without_outcomes_or_anything_alike_it_says_why() -> None:
    cells = np.zeros(SCORED.width, np.int64)
    SCORED.calibration(cells)[:32] = 10
    relation, nothing = Relation(SCORED, cells), np.zeros(SCORED.width, np.int64)
    assert relation.test(nothing, 0.01) is None
    assert relation.why_not(nothing) == "no event of the window has an outcome and a score"
    SCORED.calibration(nothing)[40:] = 10
    assert relation.test(nothing, 0.01) is None
    assert "no events that are like" in relation.why_not(nothing)
    assert relation.describe(nothing) == ""


def test_the_effect_is_the_gap_without_what_chance_brings() -> None:
    scores, rng = Scores(1, 1), np.random.default_rng(4)
    same, moved = [], []
    for _ in range(60):
        relation = Relation(SCORED, scores.cells(rng, 5_000))
        for effects, by in ((same, 0.0), (moved, 0.08)):
            result = relation.test(scores.cells(rng, 1_000, lambda s, by=by: s * (1 - by)), 0.01)
            assert result is not None
            effects.append(result.effect)
    assert np.mean(same) < 0.02  # by chance alone groups of 50 are off by .06
    assert 0.03 < np.mean(moved) < 0.06  # .08 of a mean square share of a third: .046


def test_words_name_the_events_whose_outcomes_moved() -> None:
    scores, rng = Scores(1, 1), np.random.default_rng(5)
    edges = np.arange(1, 64) / 64
    relation = Relation(SCORED, scores.cells(rng, 20_000), edges=edges)
    changed = np.where((scores.share > 0.75) & (scores.share < 0.875), 0.2, scores.share)
    counts = scores.cells(rng, 4_000, lambda _: changed)
    text = relation.describe(counts)
    assert text.startswith("'fraud' came in 1")
    assert " events with score 0.7" in text
    assert "(usually 8" in text


def test_words_without_a_score() -> None:
    cells = OutcomeCells("binary", "actual", predicted="said", classes=("ok", "fraud"))
    reference, window = (np.zeros(cells.width, np.int64) for _ in range(2))
    cells.confusion(reference)[:2, :2] = [[900, 100], [20, 180]]
    cells.confusion(window)[:2, :2] = [[450, 50], [60, 40]]
    relation = Relation(cells, reference)
    result = relation.test(window, 1e-6)
    assert result is not None
    assert result.found
    assert relation.describe(window) == (
        "'fraud' came in 40 % of 100 events predicted 'fraud' (usually 90 %)"
    )


def test_classes_that_are_mistaken_for_another_one() -> None:
    cells = OutcomeCells("multiclass", "actual", predicted="said", classes=("a", "b", "c"))
    reference, window = (np.zeros(cells.width, np.int64) for _ in range(2))
    cells.confusion(reference)[:3, :3] = [[800, 150, 50], [50, 900, 50], [50, 50, 900]]
    cells.confusion(window)[:3, :3] = [[400, 25, 75], [25, 450, 25], [25, 25, 450]]
    relation = Relation(cells, reference)
    result = relation.test(window, 1e-6)
    assert result is not None
    assert result.found
    text = relation.describe(window)
    assert text == "'b' came in 25 % of 100 events predicted 'a' that were not 'a' (usually 75 %)"


def in_spells(rng: np.random.Generator, scores: Scores, n: int, size: int) -> np.ndarray:
    """Cells of batches of events whose outcomes hang together for 20 events."""
    u = np.repeat(rng.random(n // 20), 20)
    flip = rng.random(n) < 0.5
    u = np.where(flip, u, rng.random(n))
    bins = np.searchsorted(np.cumsum(scores.law)[:-1], rng.random(n))
    batches = np.zeros((n // size, SCORED.width), np.int64)
    at = SCORED.calibration_at + 2 * bins + (u < scores.share[bins])
    np.add.at(batches, (np.arange(n) // size, at), 1)
    return batches


def test_spells_are_measured_in_the_reference_and_reckoned_with() -> None:
    scores, rng = Scores(1, 1), np.random.default_rng(6)
    p, blind = [], []
    for _ in range(15):
        batches = in_spells(rng, scores, 10_000, 200)
        effects = design_effects(SCORED, batches)
        assert effects.residual > 2.0
        assert effects.group < effects.residual
        relation = Relation(SCORED, batches.sum(axis=0), effects)
        without = Relation(SCORED, batches.sum(axis=0))
        for window in in_spells(rng, scores, 20_000, 500):
            result, other = relation.test(window, 0.01), without.test(window, 0.01)
            assert result is not None
            assert other is not None
            p.append(result.p_value)
            blind.append(other.found)
    found = int(np.count_nonzero(np.array(p) <= 0.01))
    assert interval(found, len(p))[0] <= 0.0125
    assert np.mean(blind) > 0.025


def test_independent_events_show_no_effect() -> None:
    scores, rng = Scores(1, 1), np.random.default_rng(7)
    batches = np.stack([scores.cells(rng, 200) for _ in range(100)])
    assert max(design_effects(SCORED, batches)) < 1.6
    assert design_effects(SCORED, batches[:7]) == DesignEffects(1.0, 1.0, 1.0)


def test_what_is_no_relation_is_refused() -> None:
    with pytest.raises(ValueError, match="design effects"):
        Relation(SCORED, np.zeros(SCORED.width, np.int64), 0.5)
    with pytest.raises(ValueError, match="edges"):
        Relation(SCORED, np.zeros(SCORED.width, np.int64), edges=np.zeros(1))
