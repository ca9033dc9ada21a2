"""The signals of an episode: who joins, who leaves, who leads. Used by `episodes` alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

import msgspec

from detectors import ChangePoint
from detectors.references.segments import segment_of
from stream.alerts.finding import Finding
from stream.alerts.lasting import Size, Way
from stream.alerts.sentences import described, gradually
from stream.alerts.severity import LEVEL_OF_SEVERITY
from stream.alerts.single_days import DayRun
from stream.alerts.sizes import doubling
from stream.contracts.alert_event import (
    MAX_BINS,
    MAX_SIGNALS,
    AlertBins,
    AlertChangePoint,
    AlertSignal,
    format_time,
)
from stream.plans.slots import DAY
from stream.text.durations import WEEK_MS
from stream.text.printable import MAX_NAME, printable

__all__ = [
    "Finding",
    "Heard",
    "Member",
    "Members",
    "close_windows",
    "key_of",
    "leader",
    "list_names",
    "rank",
    "take_findings",
]

#: A severity falls after so many windows in a row with a lower one: a steady effect near a step
#: would be published as up and down for as long as it lasts.
_EASED_WINDOWS: Final = 8
#: A segment without a finding for so long that closed no window either is silent, not drifted.
_SILENT_MS: Final = WEEK_MS
_LARGEST: Final = 1.7e308
#: Signals kept in an episode: bounds the state when a thousand segments drift at once.
_MAX_MEMBERS: Final = 200


class Member(msgspec.Struct, array_like=True):
    """One signal of one scope in an episode.

    Its severity rises at once and falls when it was lower for a while (hysteresis), so a value that
    hovers at a boundary changes nothing.
    """

    finding: Finding  # the strongest of the latest window that had one
    since: int = 0  # revision that published that it joined; 0 until then
    level: int = 0  # severity in the open window; 0 without a finding
    closed_level: int = 0  # severity as of the closed windows
    eased: int = 0  # closed windows in a row that were lower
    eased_to: int = 0  # the highest of them
    clean: int = 0  # looks in a row without a finding since then
    #: As estimated when it joined (later the past is blurred), or found more closely than as a
    #: window, or was first seen to be a ramp.
    began: ChangePoint | None = None
    from_start: bool = False  # whether that was ever found
    from_start_published: bool = False
    way: Way = msgspec.field(default_factory=Way)
    size: Size = msgspec.field(default_factory=Size)
    stirs: bool = True  # found since the last look
    days: DayRun = msgspec.field(default_factory=DayRun)

    @property
    def severity(self) -> int:
        """That of the open window, or of the closed ones where that is higher."""
        return max(self.level, self.closed_level)

    @property
    def gradual(self) -> bool:
        """Whether the change was seen to grow over time."""
        return self.began is not None and self.began.shape == "ramp"

    def close(self) -> None:
        """End a window that had a finding."""
        self.way.see(self.finding)
        self.size.see(self.finding.effect, doubling(self.finding.test))
        level, self.level = self.level, 0
        if level >= self.closed_level:
            self.closed_level, self.eased, self.eased_to = level, 0, 0
            return
        self.eased, self.eased_to = self.eased + 1, max(self.eased_to, level)
        if self.eased >= _EASED_WINDOWS:
            self.closed_level, self.eased, self.eased_to = self.eased_to, 0, 0

    def note_published(self, revision: int, *, news: bool) -> None:
        """Note that it is being published; a reminder is no news, and publishes no new size."""
        self.since = self.since or revision
        self.from_start_published = self.from_start
        self.way.note_published(self.finding)
        self.days.words = ""
        if news:
            self.size.note_published(self.finding.effect)

    def name(self, private: bool) -> str:
        """Signal, with its segment if it has one."""
        where = self.segment(private)
        return f"{self.finding.signal} ({where})" if where else self.finding.signal

    def segment(self, private: bool) -> str:
        """`region=eu`, or `region` alone where values are hidden."""
        return segment_of(self.finding.segment) if private else self.finding.segment

    def leads_clearly(self, other: Member, factor: float) -> bool:
        """Whether it outranks another by severity or by that factor in weight."""
        if self.severity != other.severity:
            return self.severity > other.severity
        return self.finding.weight > factor * other.finding.weight

    def as_signal(self, private: bool, with_bins: bool, revision: int) -> AlertSignal:
        """Its entry in an alert's revision."""
        finding = self.finding
        bins = finding.bins if with_bins else None
        if bins is not None and len(bins.reference) > MAX_BINS:
            bins = None
        if bins is not None and private:
            bins = AlertBins(bins.reference, bins.window)
        return AlertSignal(
            name=finding.signal,
            role=finding.role,
            test=finding.test,
            value=_finite(finding.value),
            threshold=_finite(finding.threshold),
            importance=finding.importance,
            since=f"revision {self.since}",
            p_value=finding.p_value,
            segment=self.segment(private),
            change="" if private else self._change(revision),
            bins=bins,
            quantiles=finding.quantiles if with_bins and not private else None,
            change_point=None if self.began is None else _as_times(self.began),
            effect=float(f"{_finite(finding.effect):.4g}"),
            events=finding.events,
            from_start=self.from_start,
            headline="" if private else finding.headline,
            expected_errors=finding.expected_errors,
        )

    def _change(self, revision: int) -> str:
        """What moved, in words; since when if it did so gradually."""
        words = described(self.finding, first=self.since == revision)
        if self.began is None or not self.gradual:
            return words
        return gradually(words, self.began.estimate_ms)


#: By `key_of`.
Members = dict[str, Member]
#: Whether a value came of (segment, signal); of the window that is half full, or of the last.
Heard = Callable[[str, str, bool], bool]


def key_of(finding: Finding) -> str:
    """Identity of a signal in a scope; segments first so that keys cannot collide."""
    return f"{len(finding.segment)}:{finding.segment}{finding.signal}"


def rank(members: Members) -> list[Member]:
    """Strongest first: severity, then importance times effect, then name."""
    ranked = sorted(members.values(), key=_place)
    for member in ranked[MAX_SIGNALS:]:  # bins far from the lead are never shown
        if member.finding.bins is not None:
            member.finding = msgspec.structs.replace(member.finding, bins=None, quantiles=None)
    return ranked


def leader(members: Members) -> Member:
    """The strongest of them."""
    return min(members.values(), key=_place)


def _place(member: Member) -> tuple[int, float, str, str]:
    finding = member.finding
    return -member.severity, -finding.weight, finding.signal, finding.segment


def take_findings(members: Members, findings: Sequence[Finding]) -> None:
    """Enter the findings of one pane."""
    strongest = sorted(findings, key=lambda one: (one.strength, one.from_start), reverse=True)
    for finding in sorted(strongest, key=key_of):
        level = LEVEL_OF_SEVERITY[finding.severity]
        member = members.get(key_of(finding))
        if member is None:
            if len(members) >= _MAX_MEMBERS:
                continue
            member = members[key_of(finding)] = Member(finding, began=finding.change_point)
        elif finding.settles and member.way.opposes(finding):
            member.way.settle()
            member.finding, member.began = finding, finding.change_point
        elif _tells_more(finding, member):
            member.finding = finding
        begins = finding.test == DAY and member.days.see(finding)
        if finding.test == DAY and member.finding.test != DAY:
            if begins:  # of what lasts it says nothing
                member.closed_level, member.eased, member.eased_to = (
                    max(member.closed_level, level),
                    0,
                    0,
                )
            continue
        point = finding.change_point
        if point is not None and point.shape == "ramp" and not member.gradual:
            member.began = point  # it grew for long enough to be no step
        elif _is_within(point, member.began):
            member.began = point
        member.level = max(member.level, level)
        member.from_start |= finding.from_start
        member.stirs = True


def _is_within(point: ChangePoint | None, began: ChangePoint | None) -> bool:
    """Whether a change point tells more closely when a change began that only a window is known of.

    One that was estimated stays: of it the past is blurred later.
    """
    if point is None or began is None or began.confidence is not None or began.shape == "ramp":
        return False
    if began.earliest_ms > point.earliest_ms or point.latest_ms > began.latest_ms:
        return False
    return point.latest_ms - point.earliest_ms < began.latest_ms - began.earliest_ms


def _tells_more(finding: Finding, member: Member) -> bool:
    """Whether a finding is to stand for a signal: the first of this window, or the strongest.

    That of a single day never stands for what other tests found: it is over sooner.
    """
    if (finding.test == DAY) != (member.finding.test == DAY):
        return member.finding.test == DAY
    return not member.level or finding.strength >= member.finding.strength


def close_windows(
    members: Members,
    now_ms: int,
    window_closed: bool,
    segments_closed: Collection[str] | None,
    looks: int,
    unlike: Collection[str] | None = None,
    day_ended: bool = False,
    heard: Heard | None = None,
) -> list[Member]:
    """End the windows that ended with this pane; the members that leave.

    They do after so many looks in a row without a finding: at each window that closes, and where
    half of one is full. `unlike` is of a look at half a window of the whole stream, None if there
    was none. What only a day was found of is looked at when a day is over. Of what nothing was
    `heard`, as of truths that come once a night, a look says nothing.
    """
    left = []
    for key, member in list(members.items()):
        segment = member.finding.segment
        if not segment or segments_closed is None:
            closed = window_closed
        else:
            closed = segment in segments_closed
            if not closed and now_ms - member.finding.end_ms > _SILENT_MS:
                left.append(members.pop(key))
                continue
        if closed and member.level:
            member.close()
        by_day = day_ended and member.finding.test == DAY
        if not closed and not by_day and (unlike is None or segment):
            continue
        looks_at = segment, member.finding.signal, not closed
        if not (member.stirs or by_day or heard is None or heard(*looks_at)):
            continue
        alike = closed or by_day or member.finding.signal not in (unlike or ())
        if member.stirs or not alike:
            member.clean, member.stirs = 0, False
            continue
        member.clean += 1
        if member.clean >= looks and not member.days.words:  # or nobody would hear of the day
            left.append(members.pop(key))
    return left


def _as_times(point: ChangePoint) -> AlertChangePoint:
    return AlertChangePoint(
        format_time(point.estimate_ms),
        format_time(point.earliest_ms),
        format_time(point.latest_ms),
        point.confidence,
        "ramp" if point.shape == "ramp" else "step",
    )


def _finite(value: float) -> float:
    """A number that JSON can hold: an infinite one would be read back as null."""
    return max(-_LARGEST, min(_LARGEST, value)) if value == value else 0.0


def list_names(members: Iterable[Member], private: bool, at_most: int = 3) -> str:
    """`'a', 'b' and 4 more`."""
    names = [f"'{printable(member.name(private), MAX_NAME)}'" for member in members]
    if len(names) > at_most:
        names[at_most:] = [f"{len(names) - at_most} more"]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
