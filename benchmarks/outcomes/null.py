"""False alarms where outcomes still follow what the model says."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks.gates.measured import Measured, rate_of, share_of
from benchmarks.outcomes.streams import CELLS, LAWS, Law, in_cells, remembering
from detectors.outcomes.limits import LimitEvidence
from detectors.outcomes.relation import Relation
from detectors.outcomes.relation_evidence import RelationEvidence
from detectors.outcomes.residual_effects import DesignEffects, design_effects

__all__ = ["dependent", "evidence", "limits", "plain_p_value", "windows"]

Ints = npt.NDArray[np.int64]
LEVELS = (1e-2, 1e-3)
ROWS = (1_000, 3_000, 10_000)
#: What the level may be off by.
LEAST, MOST = 0.8, 1.25


def plain_p_value(window: Ints, reference: Ints) -> float:
    """Of the chi2 by the reference's own shares, in bins merged until 5 of either are expected."""
    counts, known = CELLS.calibration(window), CELLS.calibration(reference)
    value, bins = 0.0, 0
    n = y = rows = came = 0
    least = counts.sum() / 20
    for (missed, hit), (none, some) in zip(counts.tolist(), known.tolist(), strict=True):
        n, y, rows, came = n + missed + hit, y + hit, rows + none + some, came + some
        p = (came + 0.5) / (rows + 1.0)
        if n >= least and min(n * p, n * (1.0 - p)) >= 5.0:
            value += (y - n * p) ** 2 / (n * p * (1.0 - p) * (1.0 + n / rows))
            bins += 1
            n = y = rows = came = 0
    return float(stats.chi2.sf(value, bins)) if bins else 1.0


def _p(relation: Relation, window: Ints) -> float:
    result = relation.test(window, 0.01)
    return 1.0 if result is None else result.p_value


def windows(references: int = 200, tests: int = 150, n: int = 500, seed: int = 1) -> list[Measured]:
    """Windows of n independent events: the test, and a plain chi2 beside it."""
    rows: list[Measured] = []
    pooled: dict[tuple[str, float], list[Ints]] = {}
    for name in ("even", "at 0 and 1", "2.4 % come", "normal, inputs moved by .8 sd"):
        now = LAWS[name]
        law = LAWS["normal"] if name.startswith("normal") else now
        for size in ROWS:
            rng = np.random.default_rng(seed)
            p = np.ones((2, references, tests))
            for r in range(references):
                reference = law.cells(rng, size)
                relation = Relation(CELLS, reference)
                for t in range(tests):
                    window = now.cells(rng, n)
                    p[0, r, t] = _p(relation, window)
                    p[1, r, t] = plain_p_value(window, reference)
            for which, level in ((0, 1e-2), (0, 1e-3), (1, 1e-2)):
                found = (p[which] <= level).sum(axis=1)
                pooled.setdefault((f"{which}", level), []).append(found)
                if level < 1e-2:
                    continue  # few: over all of them together, below
                what = "chi2 given margins" if which == 0 else "plain chi2"
                rows.append(
                    Measured(
                        f"{what}, scores {name}, {size:,} rows: false alarms over the level .01",
                        *(value / level for value in share_of(found, tests)),
                        least=LEAST if which == 0 else None,
                        most=MOST if which == 0 else None,
                        note=f"windows of {n}, {references} references x {tests} windows",
                    )
                )
    for which, level in (("0", 1e-2), ("0", 1e-3)):
        found = np.concatenate(pooled[which, level])
        rows.append(
            Measured(
                f"chi2 given margins, all of these: false alarms over the level {level:g}",
                *(value / level for value in share_of(found, tests)),
                least=LEAST,
                most=MOST,
                note=f"{found.size * tests:,} windows of {n}",
            )
        )
    return rows


#: What has a memory, and the correlation of neighbouring scores.
MEMORIES = (("outcomes", 0.0), ("errors", 0.0), ("outcomes", 0.9))


def _true_effects(law: Law, of: str, of_scores: float, rng: np.random.Generator) -> DesignEffects:
    """From a stream so long that chance is nothing, without the caution of short ones."""
    batches = in_cells(*remembering(rng, law, 4_000_000, of, of_scores=of_scores), 1_000)
    measured = design_effects(CELLS, batches)
    return DesignEffects(
        *(max(1.0, effect / 1.25) if effect > 1.25 else effect for effect in measured)
    )


def dependent(
    references: int = 100, tests: int = 100, size: int = 10_000, seed: int = 2
) -> list[Measured]:
    """Outcomes, or errors, by an AR(1) of .9; design effects known, and as the reference tells.

    Windows of 500 such events are worth 50 independent ones: their sums are not yet normal.
    """
    return [row for n in (2_000, 500) for row in _dependent(references, tests, size, n, seed)]


def _dependent(references: int, tests: int, size: int, n: int, seed: int) -> list[Measured]:
    law, rows = LAWS["normal"], []
    for of, of_scores in MEMORIES:
        rng = np.random.default_rng(seed)
        known = _true_effects(law, of, of_scores, rng)
        p = np.ones((3, references, tests))
        alarms = np.zeros(references, np.int64)
        threshold = 200.0
        for r in range(references):
            batches = in_cells(*remembering(rng, law, size, of, of_scores=of_scores), 200)
            reference = batches.sum(axis=0)
            measured = design_effects(CELLS, batches)
            relations = [Relation(CELLS, reference, phi) for phi in (known, measured, 1.0)]
            evidence = RelationEvidence(CELLS, reference, threshold=threshold, z=3.0, phi=measured)
            panes = in_cells(*remembering(rng, law, n * tests, of, of_scores=of_scores), 20)
            if n == 500:
                alarms[r] = sum(evidence.update(pane) for pane in panes)
            for t, window in enumerate(panes.reshape(tests, n // 20, -1).sum(axis=1)):
                p[:, r, t] = [_p(relation, window) for relation in relations]
        stream = f"windows of {n:,}, AR .9 of {of}"
        if of_scores:
            stream += f", AR {of_scores:g} of scores"
        effects = ", ".join(f"{effect:.3g}" for effect in known)
        for which, what in enumerate(
            (f"true design effects ({effects})", "effects from the reference", "no effects")
        ):
            for level in LEVELS:
                found = (p[which] <= level).sum(axis=1)
                rows.append(
                    Measured(
                        f"{stream}, {what}: false alarms over the level {level:g}",
                        *(value / level for value in share_of(found, tests)),
                        least=LEAST if which == 0 and level > 1e-3 and n > 500 else None,
                        most=MOST if which < 2 and level > 1e-3 and n > 500 else None,
                        note=f"{references} references of {size:,} rows x {tests} windows",
                    )
                )
        if n > 500:
            continue
        value, low, high = rate_of(alarms, n / 20 * tests)
        rows.append(
            Measured(
                f"{stream}, e-detector: alarms over its bound",
                value * threshold,
                low * threshold,
                high * threshold,
                most=1.0,
                note=f"A = {threshold:g}, z = 3, panes of 20, effects from the reference",
            )
        )
    return rows


def evidence(
    references: int = 100, panes: int = 3_000, threshold: float = 1_000.0, seed: int = 3
) -> list[Measured]:
    """The e-detector on panes of 20 independent events."""
    rows = []
    for name in ("even", "at 0 and 1", "2.4 % come", "normal, inputs moved by .8 sd"):
        now = LAWS[name]
        law = LAWS["normal"] if name.startswith("normal") else now
        for size in ROWS:
            rng = np.random.default_rng(seed)
            alarms = np.zeros(references, np.int64)
            for r in range(references):
                ours = RelationEvidence(CELLS, law.cells(rng, size), threshold=threshold, z=3.0)
                alarms[r] = sum(ours.update(now.cells(rng, 20)) for _ in range(panes))
            value, low, high = rate_of(alarms, panes)
            rows.append(
                Measured(
                    f"e-detector, scores {name}, {size:,} rows: alarms over its bound",
                    value * threshold,
                    low * threshold,
                    high * threshold,
                    most=1.0,
                    note=f"A = {threshold:,.0f}, z = 3, {references} references x {panes:,} panes",
                )
            )
    return rows


def limits(streams: int = 20, panes: int = 5_000, threshold: float = 200.0) -> list[Measured]:
    """Metrics that are just at their limit: the worst there is within it."""
    rows = []
    rng = np.random.default_rng(4)
    for what, at, side in (
        ("accuracy of .9 at least", 0.9, "at_least"),
        ("error rate of .001 at most", 0.001, "at_most"),
        ("recall of .5 at least", 0.5, "at_least"),
    ):
        for n in (1, 20, 200):
            alarms = np.zeros(streams, np.int64)
            for s in range(streams):
                ours = LimitEvidence(at, side, threshold=threshold)
                hits = rng.binomial(n, at, panes).tolist()
                alarms[s] = sum(ours.update(n, hit) for hit in hits)
            rows.append(_over(f"{what}, {n} a pane", alarms, panes, threshold))
    for what, at, bound in (
        ("absolute errors of a t with 3 df", float(stats.t(3).expect(abs)), None),
        ("log losses, clipped at 36", 0.4, 36.0),
    ):
        alarms = np.zeros(streams, np.int64)
        for s in range(streams):
            ours = LimitEvidence(at, "at_most", threshold=threshold, bound=bound)
            if bound is None:
                values = np.abs(rng.standard_t(3, (panes, 20)))
            else:
                values = np.minimum(rng.gamma(0.6, at / 0.6, (panes, 20)), bound)
            sums, squares = values.sum(axis=1), np.square(values).sum(axis=1)
            alarms[s] = sum(ours.update(20, *pair) for pair in zip(sums, squares, strict=True))
        rows.append(_over(f"mean of {what}, 20 a pane", alarms, panes, threshold))
    return rows


def _over(what: str, alarms: Ints, panes: int, threshold: float) -> Measured:
    value, low, high = (rate * threshold for rate in rate_of(alarms, panes))
    return Measured(
        f"limit, {what}: alarms over its bound",
        value,
        low,
        high,
        most=1.0,
        note=f"A = {threshold:g}, {alarms.size} streams x {panes:,} panes, just at the limit",
    )
