"""What sequential tests say of shares: which value or rate it is, and how far it moved."""

from __future__ import annotations

from detectors import WINDOWED_TESTS, CategoricalBinning, ChangePoint, ChangePoints, Share
from detectors.change_points.name_words import beyond_own
from detectors.figures import percent
from stream.alerts.sentences import TEST_TEXT
from stream.contracts.alert_event import Severity
from stream.plans.plan import Plan
from stream.stage2.findings import Hit
from stream.text.printable import MAX_NAME, printable

__all__ = ["share_began", "share_hit", "share_severity", "with_rise", "within_stream"]


def share_hit(
    plan: Plan,
    share: Share,
    test: str,
    value: float,
    threshold: float,
    effect: float,
    note: str,
    began: ChangePoint | None,
) -> Hit:
    """The hit of a sequential test on a share; `note` says what became of it."""
    return Hit(
        test,
        value,
        threshold,
        share_severity(share, effect),
        effect,
        note=f"{_name(plan, share)} {note}",
        change_point=began,
        of=_test_of(share),
        look=-1 if share.rate else int(share.bins[0]),
        moves=share.rate,
        direction=1 if share.rate else 0,
    )


def share_began(
    changes: ChangePoints, share: Share, test: str, within: int = 0
) -> ChangePoint | None:
    """When the change began: of a rate by its own sums, of a value by the ranks of the names."""
    if share.rate:
        return changes.estimate(share.signal, share.rate)
    return changes.estimate(share.signal, test, "xy", within)


def share_severity(share: Share, effect: float) -> Severity:
    """Severity by how far the share moved."""
    warning, critical = WINDOWED_TESTS[_test_of(share)].steps
    if effect < warning:
        return "info"
    return "critical" if effect >= critical else "warning"


def with_rise(hit: Hit, share: Share, rise: float) -> Hit:
    """The hit with how far the share moved."""
    effect = max(0.0, rise)
    return hit._replace(effect=effect, severity=share_severity(share, effect))


def within_stream(before: float, after: float) -> str:
    """The words for a change that ADWIN saw."""
    return f"{percent(before)} -> {percent(after)} within the stream"


def _test_of(share: Share) -> str:
    """The windowed test that looks at the same."""
    return share.rate or "name_share"


def _name(plan: Plan, share: Share) -> str:
    """`missing rate`, `share of 'error'`; of a private plan `share of category 2`."""
    if share.rate:
        return TEST_TEXT[share.rate]
    binning = plan.monitored[share.signal].binning
    assert isinstance(binning, CategoricalBinning)
    b = int(share.bins[0])
    if b >= binning.other:
        return f"share of names {beyond_own(binning)}"
    if plan.private:
        return f"share of category {b + 1}"
    return f"share of '{printable(binning.label(b), MAX_NAME)}'"
