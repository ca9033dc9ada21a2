"""Concept drift: whether the truth still follows what the model says.

Each pane's outcomes feed an e-detector, each window's are tested against the reference; both ask of
events with the same score, so that scores may move without a word from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from detectors import Budget, ChangePoint, NumericBinning
from detectors.change_points.blocks import Blocks
from detectors.outcomes.onset import onset
from detectors.outcomes.relation import STEPS, Relation, RelationResult
from detectors.outcomes.relation_evidence import RelationEvidence
from detectors.outcomes.residual_effects import DesignEffects
from stream.alerts.finding import Finding
from stream.alerts.sizes import RELATION, on_one_scale
from stream.plans.plan import Plan
from stream.stage2.windows import Closed

__all__ = ["RelationTests"]

#: Blocks of panes that are held, to tell since when: 48 reach back for thousands of panes.
_MAX_BLOCKS: Final = 48
_LN10: Final = float(np.log(10.0))

Ints = npt.NDArray[np.int64]


class RelationTests:
    """The tests of one subject's outcomes under one plan.

    Parameters
    ----------
    plan : Plan
        With outcomes of classes.
    budget : Budget
        Of the subject: the relation is tested as one more signal.

    Attributes
    ----------
    name : str
        What findings are of: the truth, given what the model said.
    """

    def __init__(self, plan: Plan, budget: Budget) -> None:
        outcome = plan.outcome
        assert outcome is not None
        self._plan, self._cells, self._at = plan, outcome.cells, plan.layout.cells
        cells = outcome.cells
        self.name = f"{cells.actual} given {cells.score or cells.predicted}"
        effects = DesignEffects(*outcome.effects)
        score = next((s.binning for s in plan.monitored if s.name == cells.score), None)
        edges = score.edges if isinstance(score, NumericBinning) else None
        self._relation = Relation(cells, outcome.counts, effects, edges)
        self.evidence = RelationEvidence(
            cells,
            outcome.counts,
            threshold=budget.edetector_threshold,
            z=budget.edetector_z,
            phi=effects,
        )
        self._threshold = float(np.log10(budget.edetector_threshold))
        self._blocks = Blocks(cells.width, _MAX_BLOCKS)
        self.results: dict[str, RelationResult] = {}  # of the last full window, by segment

    @classmethod
    def of(cls, plan: Plan, budget: Budget) -> RelationTests | None:
        """Those of a plan; None where there are no outcomes, or they are numbers."""
        outcome = plan.outcome
        if outcome is None or outcome.cells.task == "regression":
            return None
        return cls(plan, budget)

    def pane(self, counts: Ints, start_ms: int, end_ms: int) -> Iterator[Finding]:
        """Feed the flat counts of a pane of the whole stream."""
        cells = counts[self._at]
        if not self._cells.events(cells):
            return
        self._blocks.add(cells, start_ms, end_ms)
        if not self.evidence.update(cells):
            return
        outcome = self._plan.outcome
        assert outcome is not None
        at = onset(
            self._cells,
            outcome.counts,
            self._blocks,
            self.evidence.axis,
            self.evidence.direction,
        )
        since = self._blocks.since(at)
        result = self._relation.test(since, 0.5)
        began = ChangePoint(
            self._blocks.start_ms[at], self._blocks.start_ms[at], self._blocks.end_ms[at]
        )
        effect = 0.0 if result is None else result.effect
        yield self._finding(
            "edetector",
            self.evidence.evidence / _LN10,
            self._threshold,
            effect,
            self._relation.describe(since),
            (began.estimate_ms, end_ms, self._cells.events(since)),
            began=began,
        )

    def window(self, window: Closed, alpha: float) -> Iterator[Finding]:
        """Test a window that closed."""
        cells, segment = window.counts[self._at].astype(np.int64), window.segment
        result = self._relation.test(cells, alpha)
        self.results.pop(segment, None)
        if result is None:
            return
        self.results[segment] = result
        if not result.found:
            return
        yield self._finding(
            RELATION,
            result.value,
            result.threshold,
            result.effect,
            self._relation.describe(cells),
            (window.start_ms, window.end_ms, result.events),
            began=ChangePoint(window.start_ms, window.start_ms, window.end_ms),
            p_value=result.p_value,
            segment=segment,
        )

    def is_unlike(self, counts: Ints, alpha: float) -> bool:
        """Whether outcomes of a window that is filling still differ: a look, not a test."""
        result = self._relation.test(counts[self._at], alpha)
        return result is not None and result.found

    def _finding(
        self,
        test: str,
        value: float,
        threshold: float,
        effect: float,
        words: str,
        span: tuple[int, int, int],
        *,
        began: ChangePoint,
        p_value: float | None = None,
        segment: str = "",
    ) -> Finding:
        warning, critical = STEPS
        start_ms, end_ms, events = span
        return Finding(
            kind="concept_drift",
            signal=self.name,
            role="actual",
            test=test,
            value=value,
            threshold=threshold,
            severity="critical"
            if effect >= critical
            else "warning"
            if effect >= warning
            else "info",
            start_ms=start_ms,
            end_ms=end_ms,
            events=events,
            segment=segment,
            p_value=p_value,
            importance=1.0 / len(self._plan.monitored),
            effect=on_one_scale(RELATION, effect),
            change="" if self._plan.private else words,
            change_point=began,
            headline="" if self._plan.private else words,
        )

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse."""
        return msgspec.msgpack.encode((self.evidence.dump(), self._blocks.dump()))

    def load(self, data: bytes) -> None:
        """Take over a dumped state; raises ValueError."""
        evidence, blocks = msgspec.msgpack.decode(data, type=tuple[bytes, bytes])
        self.evidence.load(evidence)
        self._blocks.load(blocks)
