"""What a report says, as plain values: made from alert events or from a replay.

`document` writes them as HTML, `markdown` as Markdown.
"""

from __future__ import annotations

from dataclasses import dataclass

from stream.alerts.sizes import over_threshold
from stream.report.fairness import FairnessTable
from stream.report.outcomes import Outcomes
from stream.report.shape import Shape
from stream.report.words import bin_name

__all__ = [
    "Bars",
    "Episode",
    "QualityRow",
    "Report",
    "Revision",
    "SegmentRow",
    "Signal",
    "TestRow",
]


@dataclass(frozen=True)
class Bars:
    """Shares of a signal's values in coarse bins. `edges` are of the first bins, if of numbers.

    `shape` is their density on a true axis, of numbers whose edges may be shown.
    """

    reference: tuple[float, ...]
    window: tuple[float, ...]
    edges: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    shape: Shape | None = None

    def label(self, b: int) -> str:
        """Name of a bin; its number where names are hidden."""
        if b >= len(self.labels):
            return f"bin {b + 1}"
        return self.labels[b] if b < self.special else bin_name(self.labels[b])

    @property
    def special(self) -> int:
        """The first bin of what is no known value; behind the last one if there is none."""
        if self.edges or not self.labels:
            return len(self.edges) - 1 if self.edges else len(self.window)
        # Names of their own come first, then "other" once more, which may be one of them.
        return max((b for b, name in enumerate(self.labels) if name == "other"), default=-1) + 1

    def leading(self, max_bins: int) -> list[int]:
        """The bins of names that moved most, by their share, and then what is no known value."""
        special = list(range(self.special, len(self.window)))
        moved = sorted(range(self.special), key=lambda b: -abs(self.window[b] - self.reference[b]))
        shown = moved[: max_bins - len(special)]
        return [*sorted(shown, key=lambda b: -self.reference[b]), *special]


@dataclass(frozen=True)
class Revision:
    """One publication of an episode."""

    number: int
    time_ms: int
    status: str
    severity: str
    joined: tuple[str, ...]
    left: tuple[str, ...]
    summary: str
    evidence: str = ""
    effect: float = 0.0  # of its leading signal, on one scale for all tests


@dataclass(frozen=True)
class Episode:
    """An episode from its opening to its end, or to the last that is known of it."""

    id: str
    subject: str
    kind: str
    severity: str  # the highest it had
    firing: bool
    start_ms: int
    end_ms: int
    action: str
    runbook_url: str
    revisions: tuple[Revision, ...]
    from_start: tuple[str, ...] = ()  # signals that never were as their reference
    beside: tuple[str, ...] = ()  # other episodes that were open with its last revision, in words


@dataclass(frozen=True)
class Signal:
    """A signal of one scope at the moment it drifted most.

    Attributes
    ----------
    history : tuple
        (event time, value over threshold of its worst test), a pair for each window or revision;
        `history_of` says of what.
    moments : tuple
        (name, before, after) of mean and quantiles, in words.
    change_point : tuple or None
        (earliest, likeliest, latest) event time at which it changed, or began to.
    gradual : bool
        Whether it changed over time.
    """

    name: str
    role: str
    test: str
    value: float
    threshold: float
    at_ms: int
    segment: str = ""
    p_value: float | None = None
    importance: float | None = None
    since: str = ""
    change: str = ""
    bars: Bars | None = None
    moments: tuple[tuple[str, str, str], ...] = ()
    change_point: tuple[int, int, int] | None = None
    gradual: bool = False
    history: tuple[tuple[int, float], ...] = ()
    history_of: str = "Over time"

    @property
    def ratio(self) -> float:
        """Value in units of the threshold; 1 is a finding."""
        return over_threshold(self.test, self.value, self.threshold)


@dataclass(frozen=True)
class SegmentRow:
    """The worst of one segment."""

    segment: str
    signal: str
    test: str
    ratio: float
    windows: int
    findings: int


@dataclass(frozen=True)
class QualityRow:
    """Shares of values without use: (sort, in the reference, now) of each sort."""

    signal: str
    shares: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True)
class TestRow:
    """How often a test was made, and what came of it."""

    test: str
    scope: str
    made: int
    alpha: float | None
    findings: int | None


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes
    ----------
    warnings : tuple of str
        What to know before the rest is believed; it stands first.
    facts, provenance : tuple
        (name, value, words) and (name, value).
    fetch : tuple of str
        Commands that read the events behind an episode.
    """

    title: str
    lead: str
    severity: str  # of what fires or fired worst; "" for none
    start_ms: int
    end_ms: int
    made: str
    facts: tuple[tuple[str, str, str], ...]
    episodes: tuple[Episode, ...]
    signals: tuple[Signal, ...]
    segments: tuple[SegmentRow, ...] = ()
    quality: tuple[QualityRow, ...] = ()
    tests: tuple[TestRow, ...] = ()
    budget: str = ""
    untested: tuple[str, ...] = ()
    provenance: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    outcomes: tuple[Outcomes, ...] = ()
    fairness: tuple[FairnessTable, ...] = ()
    fetch: tuple[str, ...] = ()
