"""A test result that passed its threshold, made into a finding that explains itself."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors import ChangePoint, describe
from detectors.change_points.explain import QUANTILES
from stream.alerts.episodes import Finding
from stream.alerts.sizes import on_one_scale
from stream.contracts.alert_event import AlertBins, AlertQuantiles, Kind, Severity
from stream.contracts.roles import ROLES
from stream.plans.plan import Plan
from stream.stage2.causes import errors_to_expect
from stream.stage2.error_sizes import ErrorSizes
from stream.stage2.explained_by_quality import QUALITY_TESTS
from stream.stage2.headlines import headline

__all__ = ["Hit", "Span", "explained"]

#: Tests of a rate, which go where the rate goes.
_RATES: Final = QUALITY_TESTS | {"range_rate"}
#: A distance goes where the mean goes if that alone makes so much of it.
_OF_MEAN: Final = 0.5


class Span(NamedTuple):
    """What was tested: event times in milliseconds, and the flat counts of it."""

    segment: str
    start_ms: int
    end_ms: int
    counts: npt.NDArray[np.int64]


class Hit(NamedTuple):
    """The outcome of one test of one signal.

    `direction` is of what it says `moves`; a test that says neither has a direction if the mean
    accounts for what it found. A sequential test that found a share or a rate is `of` the test by
    windows that looks at the same. One is `of_quality` if values are as they were, and only more or
    less of them are missing, of a wrong type or unseen.
    """

    test: str
    value: float
    threshold: float
    severity: Severity
    effect: float
    p_value: float | None = None
    note: str = ""
    change_point: ChangePoint | None = None
    look: int = -1  # of a test of names, which share it found
    direction: int = 0
    moves: str = ""
    from_start: bool = False
    of: str = ""
    of_quality: bool = False


def explained(plan: Plan, index: int, hit: Hit, span: Span) -> Finding:
    """The finding of a hit on monitored signal `index`, with what moved in words and bins."""
    signal = plan.expected(index, span.counts)
    counts = span.counts[plan.layout.slice(index)]
    change = describe(signal, counts, public=not plan.private, look=hit.look)
    quantiles = None
    if change.quantiles_before and change.quantiles_after:
        quantiles = AlertQuantiles(
            QUANTILES,
            change.quantiles_before,
            change.quantiles_after,
            change.sides_before if any(change.sides_before) else (),
            change.sides_after if any(change.sides_after) else (),
        )
    about = hit.of or hit.test
    effect = on_one_scale(about, hit.effect)
    moves, direction = _way(hit, effect, change.shift)
    of_quality = hit.of_quality or about in QUALITY_TESTS
    kind: Kind = "data_quality" if of_quality else ROLES[signal.role].kind
    errors = errors_to_expect(plan, signal, counts)
    is_ranked = plan.options(signal.name).importance is None
    return Finding(
        kind=kind,
        signal=signal.name,
        role=signal.role,
        test=hit.test,
        segment=span.segment,
        value=hit.value,
        threshold=hit.threshold,
        p_value=hit.p_value,
        severity=hit.severity,
        importance=plan.importance(signal.name),
        effect=effect,
        direction=direction,
        change=change.text,
        bins=AlertBins(change.reference, change.window, change.edges, change.labels),
        start_ms=span.start_ms,
        end_ms=span.end_ms,
        events=max(int(span.counts[0]), int(counts.sum())),  # truths may be more than predictions
        quantiles=quantiles,
        change_point=hit.change_point,
        note=hit.note,
        moves=moves,
        from_start=hit.from_start,
        headline=headline(
            signal,
            counts,
            change,
            test=about,
            moves=moves,
            look=hit.look,
            public=not plan.private,
            errors=ErrorSizes.of(plan, index, span.counts) if signal.is_derived else None,
        ),
        expected_errors=errors,
        harm=0.0 if errors is None or not is_ranked else errors.rise,
    )


def _way(hit: Hit, effect: float, shift: float) -> tuple[str, int]:
    """What the test says went somewhere, and where: 1 up, -1 down, 0 nowhere."""
    if hit.moves:
        return hit.moves, hit.direction
    if hit.test in _RATES:
        return hit.test, 1 if hit.effect > 0.0 else -1
    # A distance has no direction of its own. Beside missing values or a wider spread the mean
    # hardly moves, and either way.
    if not shift or on_one_scale("wasserstein", abs(shift)) < _OF_MEAN * effect:
        return "", 0
    return "mean", 1 if shift > 0.0 else -1
