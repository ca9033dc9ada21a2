"""What a report says in sentences, the same in HTML and in Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from stream.contracts.alert_event import SEVERITIES
from stream.report.model import Episode, Report, Revision, Signal
from stream.report.words import chance, figure, minute, span, test_name
from stream.text.counted import counted

__all__ = [
    "FETCH",
    "NO_EPISODE",
    "ONE_CAUSE",
    "QUALITY",
    "REPLAYED_ALIKE",
    "SEVERITIES_OR_NONE",
    "changed_when",
    "evidence_of",
    "false_alarms",
    "from_start",
    "left_out",
    "newest_first",
    "of_episode",
    "of_signal",
    "open_beside",
    "runbook_command",
    "stages",
    "state",
    "tested",
    "times",
]

SEVERITIES_OR_NONE: Final = ("", *SEVERITIES)
NO_EPISODE: Final = "No episode opened: nothing passed its threshold often enough to be news."
ONE_CAUSE: Final = "One episode is one cause: however many signals drift, it is one alert."
QUALITY: Final = (
    "Share of values that were missing, of a wrong type, a category that the reference does not "
    "know, or outside its range: in the reference → now."
)
FETCH: Final = (
    "All records between the first and the last that its decisions saw, those of other models on "
    "the topic too. What retention took is gone. Of a replayed file the offsets are its rows. With "
    "TLS or SASL give kcat its settings by -F."
)
REPLAYED_ALIKE: Final = "The same events under the same plan give the same report."


def state(report: Report) -> str:
    """`critical, firing`, `resolved` or `quiet`."""
    if report.severity:
        return f"{report.severity}, firing"
    return "resolved" if report.episodes else "quiet"


def newest_first(episodes: Iterable[Episode]) -> list[Episode]:
    """Those that fire before the others."""
    return sorted(episodes, key=lambda e: (not e.firing, -e.end_ms, -e.start_ms))


def times(episode: Episode) -> str:
    """From when to when it was."""
    if episode.firing:
        return f"since {minute(episode.start_ms)}"
    return span(episode.start_ms, episode.end_ms)


def of_episode(episode: Episode) -> str:
    """Whose it is, when it was, how often it was published."""
    revisions = counted(len(episode.revisions), "revision")
    return f"{episode.subject} · {times(episode)} UTC · {revisions}"


def false_alarms(allowed: float) -> str:
    """What a model's budget is: `1 false alarm a week`."""
    return f"{figure(allowed)} false alarm{'' if allowed == 1.0 else 's'} a week"


def runbook_command(episode: Episode) -> str:
    """What prints its runbook, for where no address of it is known."""
    return f"driftstream runbook {episode.kind}"


def left_out(n: int, one: str, why: str) -> str:
    """How many more there are than are shown; nothing if all are."""
    return f"And {counted(n, one)}, which {why}." if n > 0 else ""


def from_start(episode: Episode) -> str:
    """A question about the reference, if a signal never was as it."""
    if not episode.from_start:
        return ""
    names = ", ".join(episode.from_start)
    return f"Different from the reference from the start: {names}. Is it the right reference?"


def open_beside(episode: Episode) -> str:
    """The other episodes that were open with its last revision, and what they explain."""
    return f"Open with it: {'; '.join(episode.beside)}." if episode.beside else ""


def worst_revision(episode: Episode) -> Revision:
    """The first of the highest severity and the largest change."""
    fired = [r for r in episode.revisions if r.status == "firing"] or episode.revisions
    return max(fired, key=lambda r: (SEVERITIES_OR_NONE.index(r.severity), r.effect))


def stages(episode: Episode) -> list[tuple[str, Revision]]:
    """The revisions that tell an episode: how it is now, or how it began, was worst and ended."""
    first, last = episode.revisions[0], episode.revisions[-1]
    if episode.firing:
        return [("Now", last)]
    worst = worst_revision(episode)
    began = [("First and worst", first)] if worst is first else [("First", first), ("Worst", worst)]
    return began if last is worst else [*began, ("Last", last)]


def evidence_of(episode: Episode) -> str:
    """What the test found: now, or when it was worst."""
    revision = episode.revisions[-1] if episode.firing else worst_revision(episode)
    return revision.evidence


def of_signal(signal: Signal) -> str:
    """Its name, and of which segment."""
    return f"{signal.name} of {signal.segment}" if signal.segment else signal.name


def tested(signal: Signal) -> str:
    """The test that shows it best, with its figures."""
    parts = [
        f"{test_name(signal.test)} {figure(signal.value)}, threshold {figure(signal.threshold)}"
    ]
    if signal.p_value is not None:
        parts.append(f"by chance {chance(signal.p_value)}")
    if signal.importance is not None:
        parts.append(f"importance {figure(signal.importance)}")
    return " · ".join(parts)


def changed_when(signal: Signal) -> tuple[str, str, str] | None:
    """When it changed: words before, the likeliest minute, words after."""
    if signal.change_point is None:
        return None
    first, likeliest, last = map(minute, signal.change_point)
    if signal.gradual:
        after = f" UTC; it began between {first} and {last}."
        return "Has changed gradually since about ", likeliest, after
    return "Changed about ", likeliest, f" UTC, between {first} and {last}."
