"""Concept drift: whether the truth still follows what the model says.

Each pane's outcomes feed an e-detector, each window's are tested against the reference; both ask of
events with the same score, so that scores may move without a word from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from detectors import AdwinBank, Budget, ChangePoint, NumericBinning
from detectors.change_points.blocks import Blocks
from detectors.outcomes.onset import onset, sums_of_residuals
from detectors.outcomes.relation import Relation, RelationResult, severity_of_gap
from detectors.outcomes.relation_evidence import AXES, RelationEvidence
from detectors.outcomes.residual_effects import DesignEffects
from detectors.outcomes.residual_scores import ResidualScores
from stream.alerts.finding import Finding
from stream.alerts.sizes import RELATION, on_one_scale
from stream.plans.plan import Plan
from stream.stage2.windows import Closed

__all__ = ["RelationTests", "UsualRelation"]

#: What a direction is of, by axis, and from how many standard errors on there is one.
_MOVES: Final = ("share that came", "order of the score")
_CLEAR: Final = 2.0
#: A change within the stream counts if all events since then differ from the reference's, too.
_DIFFERS: Final = 0.01
#: A mean residual that came back to less than this part of what it was is no other change.
_BACK: Final = 1 / 3
#: Blocks of panes that are held, to tell since when: 48 reach back for thousands of panes.
_MAX_BLOCKS: Final = 48
_LN10: Final = float(np.log(10.0))

Ints = npt.NDArray[np.int64]


class UsualRelation(NamedTuple):
    """What outcomes are compared with: cells of the reference, or of one part of it."""

    relation: Relation
    counts: Ints

    @classmethod
    def of(cls, plan: Plan) -> UsualRelation:
        """That of a plan with outcomes."""
        outcome = plan.outcome
        assert outcome is not None
        cells = outcome.cells
        by = next((s.binning for s in plan.monitored if s.name == cells.binned_by), None)
        edges = by.edges if isinstance(by, NumericBinning) else None
        effects = DesignEffects(*outcome.effects)
        return cls(Relation(cells, outcome.counts, effects, edges), outcome.counts)


class RelationTests:
    """The tests of one subject's outcomes under one plan.

    Parameters
    ----------
    plan : Plan
        With outcomes.
    budget : Budget
        Of the subject: the relation is tested as one more signal.

    Attributes
    ----------
    name : str
        What findings are of: the truth, given what the model said.
    """

    def __init__(self, plan: Plan, budget: Budget) -> None:
        relation, counts = self._whole = UsualRelation.of(plan)
        cells, effects = relation.cells, relation.phi
        self._plan, self._cells, self._at = plan, cells, plan.layout.cells
        self.name = f"{cells.actual} given {cells.score or cells.predicted}"
        self.evidence = RelationEvidence(
            cells,
            counts,
            threshold=budget.edetector_threshold,
            z=budget.edetector_z,
            phi=effects,
        )
        self._scores = ResidualScores(cells, counts)
        self.adwin = AdwinBank(
            len(AXES), budget.adwin_delta(len(AXES)), np.array(effects[: len(AXES)])
        )
        self._threshold = float(np.log10(budget.edetector_threshold))
        self._blocks = Blocks(cells.width, _MAX_BLOCKS)

    @classmethod
    def of(cls, plan: Plan, budget: Budget) -> RelationTests | None:
        """Those of a plan; None where there are no outcomes, or numbers in no bins."""
        outcome = plan.outcome
        if outcome is None or (outcome.cells.task == "regression" and not outcome.cells.score_bins):
            return None
        return cls(plan, budget)

    def pane(self, counts: Ints, start_ms: int, end_ms: int) -> Iterator[Finding]:
        """Feed the flat counts of a pane of the whole stream."""
        cells = counts[self._at]
        if not self._cells.events(cells):
            return
        self._blocks.add(cells, start_ms, end_ms)
        bank = self.adwin
        for axis in np.flatnonzero(bank.update(*self._scores.moments(cells))).tolist():
            before, after = float(bank.mean_before[axis]) - 0.5, float(bank.mean_after[axis]) - 0.5
            if abs(after) > _BACK * abs(before):  # else it is as in the reference again
                moved, least = 2.0 * abs(after - before), 2.0 * float(bank.threshold[axis])
                way = 1 if after > 0.0 else -1
                yield from self._since_onset("adwin", moved, least, AXES[axis], way)
        if self.evidence.update(cells):
            found = self.evidence.evidence / _LN10
            yield from self._since_onset(
                "edetector",
                found,
                self._threshold,
                self.evidence.axis,
                self.evidence.direction,
            )

    def _since_onset(
        self, test: str, value: float, threshold: float, axis: str, way: int
    ) -> Iterator[Finding]:
        """What a test of panes found, told of all events since it shows; if it does."""
        blocks = self._blocks
        at = onset(self._cells, self._whole.counts, blocks, axis, way)
        since = blocks.since(at)
        result = self._whole.relation.test(since, _DIFFERS)
        if result is None or (test == "adwin" and not result.found):
            return
        yield self._finding(
            test,
            value,
            threshold,
            result,
            since,
            (blocks.start_ms[at], blocks.end_ms[-1], result.events),
            began=ChangePoint(blocks.start_ms[at], blocks.start_ms[at], blocks.end_ms[at]),
        )

    def window(
        self, window: Closed, alpha: float, usual: UsualRelation | None = None
    ) -> Iterator[Finding]:
        """Test a window that closed, against what is `usual` of its part if that is known."""
        cells, segment = window.counts[self._at].astype(np.int64), window.segment
        usual = usual or self._whole
        result = usual.relation.test(cells, alpha)
        if result is None or not result.found:
            return
        yield self._finding(
            RELATION,
            result.value,
            result.threshold,
            result,
            cells,
            (window.start_ms, window.end_ms, result.events),
            began=ChangePoint(window.start_ms, window.start_ms, window.end_ms),
            p_value=result.p_value,
            segment=segment,
            usual=usual,
        )

    def heard(self, counts: npt.NDArray[np.integer[Any]]) -> bool:
        """Whether a window has any prediction whose truth came."""
        return bool(self._cells.events(counts[self._at].astype(np.int64)))

    def is_unlike(self, counts: Ints, alpha: float) -> bool:
        """Whether outcomes of a window that is filling still differ: a look, not a test."""
        result = self._whole.relation.test(counts[self._at], alpha)
        return result is not None and result.found

    def _finding(
        self,
        test: str,
        value: float,
        threshold: float,
        result: RelationResult,
        cells: Ints,
        span: tuple[int, int, int],
        *,
        began: ChangePoint,
        p_value: float | None = None,
        segment: str = "",
        usual: UsualRelation | None = None,
    ) -> Finding:
        start_ms, end_ms, events = span
        usual = usual or self._whole
        effect, words = result.effect, usual.relation.describe(cells)
        moves, direction = self._way(cells, usual.counts)
        return Finding(
            kind="concept_drift",
            signal=self.name,
            role="actual",
            test=test,
            value=value,
            threshold=threshold,
            severity=severity_of_gap(effect),
            start_ms=start_ms,
            end_ms=end_ms,
            events=events,
            segment=segment,
            p_value=p_value,
            importance=1.0 / len(self._plan.monitored),
            effect=on_one_scale(RELATION, effect),
            change="" if self._plan.private else words,
            change_point=began,
            moves=moves,
            direction=direction,
            settles=test != RELATION,
            headline="" if self._plan.private else words,
        )

    def _way(self, cells: Ints, usual: Ints) -> tuple[str, int]:
        """Along which axis these outcomes are furthest off, and which way; ("", 0) if not clear.

        Labels that are swapped move the share either way, by what the scores happen to be, and
        always turn their order round.
        """
        total, chance = sums_of_residuals(self._cells, usual, cells)
        z = total / np.sqrt(np.maximum(chance, 1e-12))
        axis = int(np.argmax(np.abs(z)))
        if abs(z[axis]) < _CLEAR:
            return "", 0
        return _MOVES[axis], 1 if z[axis] > 0.0 else -1

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse."""
        return msgspec.msgpack.encode(
            (self.evidence.dump(), self.adwin.dump(), self._blocks.dump())
        )

    def load(self, data: bytes) -> None:
        """Take over a dumped state; raises ValueError."""
        evidence, adwin, blocks = msgspec.msgpack.decode(data, type=tuple[bytes, bytes, bytes])
        self.evidence.load(evidence)
        self.adwin.load(adwin)
        self._blocks.load(blocks)
