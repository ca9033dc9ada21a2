"""Limits on metrics: whether what a user calls the least, or the most, is passed.

Each pane of the whole stream feeds an e-process for each limit. One that alarms stays in its
episode while windows are beyond the limit, too: evidence comes up again and again, but later.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from detectors import Budget, ChangePoint
from detectors.change_points.blocks import Blocks
from detectors.outcomes.onset import furthest
from stream.alerts.evidence import in_time
from stream.alerts.finding import Finding
from stream.alerts.sizes import LIMIT
from stream.plans.limits import LimitRule
from stream.plans.plan import Plan
from stream.stage2.windows import Closed

__all__ = ["LimitTests"]

#: Blocks of panes that are held, to tell since when: 48 reach back for thousands of panes.
_MAX_BLOCKS: Final = 48
_LN10: Final = float(np.log(10.0))

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class _Breach(msgspec.Struct, array_like=True):
    """A limit that was passed: what the finding said, until a window is within the limit again."""

    began_ms: int
    ended_ms: int  # of the first panes that showed it
    value: float  # log10 of evidence
    effect: float
    words: str


class _State(msgspec.Struct, array_like=True):
    evidence: list[bytes]
    breaches: list[_Breach | None]
    blocks: bytes


class LimitTests:
    """The limits of one subject under one plan.

    Attributes
    ----------
    rules : tuple of LimitRule
    evidence : list of LimitEvidence
        Of each.
    """

    def __init__(self, plan: Plan, budget: Budget) -> None:
        self.rules = rules = plan.limit_rules
        self._budget, self._private, self._width = budget, plan.private, plan.layout.width
        self.evidence = [rule.evidence(budget.limit_threshold) for rule in rules]
        self._breaches: list[_Breach | None] = [None] * len(rules)
        none = np.zeros(self._width)
        weights = np.array(
            [
                [m.events, m.amount, none if m.squares is None else m.squares]
                for m in (rule.measure for rule in rules)
            ]
        )
        # Of a pane only the places are held that a limit is about.
        self._places = np.flatnonzero(weights.any(axis=(0, 1)))
        self._weights = weights[:, :, self._places]
        self._blocks = Blocks(self._places.size, _MAX_BLOCKS)

    @classmethod
    def of(cls, plan: Plan, budget: Budget) -> LimitTests | None:
        """Those of a plan; None if it has no limits."""
        return cls(plan, budget) if plan.limits else None

    def pane(self, counts: Ints, start_ms: int, end_ms: int) -> Iterator[Finding]:
        """Feed the flat counts of a pane of the whole stream."""
        self._blocks.add(counts[self._places], start_ms, end_ms)
        sums = self._sums(counts[self._places])
        for at, (rule, evidence) in enumerate(zip(self.rules, self.evidence, strict=True)):
            events, amount, squares = sums[at].tolist()
            if rule.measure.bound is not None:  # what came twice is divided, events are rounded
                amount = min(amount, events * rule.measure.bound)
            known = None if rule.measure.squares is None else squares
            if not evidence.update(round(events), amount, known):
                continue
            yield self._passed(at, end_ms)

    def window(self, window: Closed) -> Iterator[Finding]:
        """What is still beyond its limit in a window of the whole stream that closed."""
        counts = window.counts[: self._width].astype(np.int64)
        span = window.start_ms, window.end_ms
        for at, rule in enumerate(self.rules):
            breach = self._breaches[at]
            if breach is None:
                continue
            if not (rule.measure.events @ counts):  # nothing says that it is over
                yield self._finding(at, breach, breach.words, (*span, 0))
            elif rule.is_beyond(counts):
                events = round(float(rule.measure.events @ counts))
                words = rule.words(counts)
                yield self._finding(at, breach, words, (*span, events))
            else:
                self._breaches[at] = None

    def beyond(self, counts: Ints) -> set[str]:
        """Names of limits that were passed and are beyond in a window that is filling."""
        counts = counts[: self._width]
        return {
            rule.name
            for rule, breach in zip(self.rules, self._breaches, strict=True)
            if breach is not None and rule.is_beyond(counts)
        }

    def levels(self) -> Iterator[tuple[str, float, float]]:
        """Name and limit of each, and its evidence as a part of what an alarm takes, 0 to 1."""
        for rule, evidence in zip(self.rules, self.evidence, strict=True):
            part = evidence.evidence / math.log(self._budget.limit_threshold)
            yield rule.name, rule.limit.at, min(1.0, max(0.0, part))

    def _passed(self, at: int, end_ms: int) -> Finding:
        """The finding of a limit that there is evidence enough against, since it was passed."""
        rule, blocks = self.rules[at], self._blocks
        first = self._onset(at)
        held = blocks.since(first)
        counts = np.zeros(self._width, np.int64)
        counts[self._places] = held
        events, amount, squares = self._sums(held)[at].tolist()
        apart = amount / events - rule.mean
        breach = self._breaches[at] = _Breach(
            blocks.start_ms[first],
            blocks.end_ms[first],
            self.evidence[at].evidence / _LN10,
            apart * apart / max(1e-12, self._variance(rule, events, amount, squares)),
            rule.words(counts),
        )
        return self._finding(at, breach, breach.words, (breach.began_ms, end_ms, round(events)))

    def _onset(self, at: int) -> int:
        """The first of the latest blocks that together are furthest beyond, by their chance."""
        rule, blocks = self.rules[at], self._blocks
        sums = np.array([self._sums(blocks[b])[at] for b in range(len(blocks))])
        events, amount = sums[:, :2].T
        beyond = amount - rule.mean * events
        return furthest(-beyond if rule.side == "at_least" else beyond, events)

    @staticmethod
    def _variance(rule: LimitRule, events: float, amount: float, squares: float) -> float:
        """Of single values: a share's at its limit, else as they are."""
        if rule.measure.squares is None:
            return rule.mean * (1.0 - rule.mean)
        return squares / events - (amount / events) ** 2

    def _sums(self, held: Ints) -> Floats:
        """Events, amount and squares of each limit, float64[limits, 3], of the places held."""
        return self._weights @ held

    def _finding(self, at: int, breach: _Breach, words: str, span: tuple[int, int, int]) -> Finding:
        rule = self.rules[at]
        start_ms, end_ms, events = span
        weeks = 10.0 ** min(breach.value, 15.0) / self._budget.panes_per_week
        said = f"{words}, chance of this by luck once in {in_time(weeks, bare=True)}"
        return Finding(
            kind=rule.kind,
            signal=rule.name,
            role=rule.role,
            test=LIMIT,
            value=breach.value,
            threshold=math.log10(self._budget.limit_threshold),
            severity=rule.limit.severity,
            start_ms=start_ms,
            end_ms=end_ms,
            events=events,
            effect=breach.effect,
            change="" if self._private else said,
            change_point=ChangePoint(breach.began_ms, breach.began_ms, breach.ended_ms),
            headline="" if self._private else said,
        )

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse."""
        evidence = [each.dump() for each in self.evidence]
        return msgspec.msgpack.encode(_State(evidence, self._breaches, self._blocks.dump()))

    def load(self, data: bytes) -> None:
        """Take over a dumped state; raises ValueError."""
        state = msgspec.msgpack.decode(data, type=_State)
        for each, dumped in zip(self.evidence, state.evidence, strict=True):
            each.load(dumped)
        self._breaches = state.breaches
        self._blocks.load(state.blocks)
