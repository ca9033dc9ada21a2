"""What an alert says to a person: one sentence of what happened, one of what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from detectors import WINDOWED_TESTS
from detectors.figures import figures, percent
from detectors.references.segments import scope_parts
from stream.alerts.finding import Finding
from stream.alerts.sizes import FAIRNESS, LIMIT, RELATION
from stream.contracts.alert_event import (
    Action,
    AlertExpectedErrors,
    AlertSignal,
    Kind,
    format_time,
)
from stream.contracts.roles import ROLES
from stream.text.printable import MAX_NAME, printable

__all__ = [
    "ACTION_TEXT", "GROWN", "KIND_TEXT", "LEADS", "STILL", "TEST_TEXT", "action_for", "alert_name",
    "described", "expected_words", "gradually", "minute", "sentence",
]  # fmt: skip

KIND_TEXT: Final[Mapping[Kind, str]] = {
    "data_drift": "data drift",
    "prediction_drift": "prediction drift",
    "label_drift": "label drift",
    "concept_drift": "concept drift",
    "performance": "performance loss",
    "fairness": "unequal outcomes",
    "data_quality": "data quality problem",
    "system": "system problem",
}
#: What to do where no signal's role says it.
_ACTION: Final[Mapping[Kind, Action]] = {
    "concept_drift": "retrain",
    "performance": "rollback",
    "fairness": "review_decisions",
    "data_quality": "check_pipeline",
    "system": "check_pipeline",
}
ACTION_TEXT: Final[Mapping[Action, str]] = {
    "investigate_features": "investigate the feature distribution and schedule retraining",
    "investigate_actuals": "check that the actuals are whole and mean what they meant, then "
    "schedule retraining",
    "retrain": "retrain on data that holds the new relation",
    "rollback": "roll back to the last good version and retrain",
    "review_decisions": "have decisions about those who are worse off reviewed, and find what "
    "changed for them alone",
    "check_pipeline": "check the pipeline that produces these events",
    "scale": "look at the load of the serving system and scale it",
}
#: What each test measures.
TEST_TEXT: Final[Mapping[str, str]] = {
    "adwin": "ADWIN",
    "edetector": "log10 of evidence",
    LIMIT: "log10 of evidence",
    FAIRNESS: "disparity of two values",
    RELATION: "chi2 of outcomes given what the model said",
    "day": "standard deviations of days",
    **{name: test.text for name, test in WINDOWED_TESTS.items()},
}
#: A sentence names so many signals; the alert's list has more.
_NAMED: Final = 3
#: What happened is to be read in one breath: so many characters to the first full stop.
_CHARS: Final = 200
_NAME_CHARS: Final = 40
_IN_BRACKETS: Final = re.compile(r"\([^()]*\)|'[^']*'")
#: Notes that go first where a sentence would be too long: what leads stands in front anyway.
LEADS: Final = " now leads"
GROWN: Final = "its change has at least doubled"
STILL: Final = "still firing after "
#: The whole stream is named rather than a segment whose effect is not much larger.
_WHOLE: Final = 0.5


def alert_name(kind: Kind) -> str:
    """`data_drift` -> `DataDrift`, as alert managers like it."""
    return "".join(part.capitalize() for part in kind.split("_"))


def action_for(kind: Kind, role: str) -> Action:
    """The recommended action, from the kind and the leading signal's role."""
    known = ROLES.get(role)
    return _ACTION[kind] if known is None or known.kind != kind else known.action


def sentence(
    model: str,
    version: str,
    kind: Kind,
    signals: Sequence[AlertSignal],
    total: int,
    *,
    since_ms: int | None = None,
    notes: Sequence[str] = (),
    was: str = "",
    why: str = "",
    action: Action | None = None,
) -> str:
    """The summary of an alert.

    `signals` are the leading findings, strongest first, of `total` signals. `since_ms` is when the
    change began, `notes` say what is new ("resolved after 2 h", "'amount' joined"). What an episode
    that is over `was` stands in place of what its tests saw last; `why` is a sentence of what may
    have brought it, or what it may bring; `action` is left out when nothing is to be done.
    """
    kind_text = KIND_TEXT[kind]
    text = f"{_model_text(model, version)}: {kind_text[0].upper()}{kind_text[1:]}"
    since = ""
    if since_ms is not None:
        point = signals[0].change_point
        how = "gradually since about" if point and point.shape == "ramp" else "since"
        since = f" {how} {minute(since_ms)} UTC"
    clauses = {note: f"; {printable(note)}" for note in notes}
    # Who joined, left or leads only as far as there is room: `news` has all.
    names = [note for note in notes if note.endswith((" joined", " left", LEADS))]
    room = _CHARS - len(text) - len(since) - 1
    room -= sum(len(clauses[note]) for note in notes if note not in names)
    listed = f": {printable(was)}" if was else _joined([signals[:1]], 1, 0)
    for note in notes:
        if len(listed) > room and (note == GROWN or note.startswith(STILL)):
            room += len(clauses.pop(note))
    if not was:  # news of names comes before more of the signals, if there is room for it at all
        after = len(clauses[names[0]]) if names else 0
        listed = _listed(signals, total, room - after)
        listed = listed if len(listed) <= room - after else _listed(signals, total, room)
    listed = printable(listed, max(room, _NAME_CHARS))
    text += listed + since
    left = room - len(listed)
    for note, clause in clauses.items():
        if note in names and len(clause) > left:
            continue
        left -= len(clause) if note in names else 0
        text += clause
    text += "" if text.endswith("?") else "."
    if why:
        text += f" {why}"
    if action is not None:
        text += f" Recommended action: {ACTION_TEXT[action]}."
    return text


def _listed(signals: Sequence[AlertSignal], total: int, room: int) -> str:
    """The leading signal's change, then others' as far as there is room, then how many more.

    A signal counts once, however many segments it moved in.
    """
    by_name: dict[str, list[AlertSignal]] = {}
    for signal in signals:
        by_name.setdefault(signal.name, []).append(signal)
    groups = list(by_name.values())[:_NAMED]
    for named in range(len(groups), 0, -1):
        for in_full in range(named, 0, -1):
            listed = _joined(groups[:named], in_full, total - named)
            if len(listed) <= room:
                return listed
    return _joined(groups[:1], 1, 0)


def _joined(groups: Sequence[Sequence[AlertSignal]], in_full: int, rest: int) -> str:
    """What the first so many of these signals did, the names of the others, and how many more."""
    parts = [f"'{printable(group[0].name, _NAME_CHARS)}'" for group in groups]
    for at, group in enumerate(groups[:in_full]):
        signal = _scope_to_name(group)
        parts[at] = _signal_text(signal) + ("" if not signal.segment else _segments_text(group))
    # "accuracy 88 % (limit 90 %), chance of this by luck once in 3 years"
    has_commas = any(", " in _IN_BRACKETS.sub("", part) for part in parts[:in_full])
    more = [f"{rest} more signal{'s' if rest > 1 else ''}"] if rest else []
    if groups[0][0].headline and in_full < len(parts):  # "also" parts them from findings
        findings, others = parts[:in_full], [*parts[in_full:], *more]
        comma = ";" if has_commas else ","
        listed = f"{_series(findings, has_commas)}{comma} also {_series(others)}"
    else:
        listed = _series([*parts, *more], has_commas)
    return f": {listed}" if groups[0][0].headline else f" in {listed}"


def _series(parts: Sequence[str], has_commas: bool = False) -> str:
    """`a, b and c`; parts with commas of their own are told apart by semicolons."""
    if has_commas:
        return "; ".join(parts)
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _scope_to_name(group: Sequence[AlertSignal]) -> AlertSignal:
    """What a signal did in the whole stream, if that is not much less than in its segments."""
    whole = next((signal for signal in group if not signal.segment), group[0])
    lead = group[0].effect or 0.0
    return whole if (whole.effect or 0.0) >= _WHOLE * lead else group[0]


def _segments_text(group: Sequence[AlertSignal]) -> str:
    """The segment that is named, and how many others the signal moved in."""
    rest = sum(bool(signal.segment) for signal in group[1:])
    more = f" and {rest} more segment{'s' if rest > 1 else ''}" if rest else ""
    segment = group[0].segment
    parts = ["=".join(part) for part in scope_parts(segment)] or [segment]  # values may be hidden
    return f" in {', '.join(printable(part, _NAME_CHARS) for part in parts)}{more}"


def described(finding: Finding, *, first: bool) -> str:
    """What moved; of a test that follows every pane also what it saw, and in which events.

    When a finding is first published, they are those since the change began. Of later ones the
    words are when they ended: they begin later and later, which the change did not, and a reminder
    may repeat the same finding months later, when the newest events are like the reference again.
    """
    if not finding.note:
        return finding.change
    events = f"{finding.events:,} event{'s' if finding.events != 1 else ''}"
    when = f"since {minute(finding.start_ms)}" if first else f"up to {minute(finding.end_ms)}"
    return f"{finding.note}; in {events} {when}: {finding.change}"


def gradually(change: str, began_ms: int) -> str:
    """Words of what moved, with since when it has moved."""
    return f"{change}; gradually since about {minute(began_ms)}"


def expected_words(signal: str, expected: AlertExpectedErrors) -> str:
    """The errors that a feature's drift lets expect, in a sentence."""
    if expected.of == "rate":
        before, after = percent(expected.before), percent(expected.after)
        what = "error rate"
    else:
        before, after = figures(expected.before, expected.after)
        what = "mean absolute error"
    return (
        f"'{printable(signal, MAX_NAME)}' would raise the {what} from {before} to about {after}, "
        "if errors still follow it as in the reference."
    )


def minute(time_ms: int) -> str:
    """`2026-03-01 10:02`, in UTC."""
    return format_time(time_ms)[:16].replace("T", " ")


def _model_text(model: str, version: str) -> str:
    model, version = printable(model, MAX_NAME), printable(version, MAX_NAME)
    if not version:
        return model
    return f"{model} {version}" if version.startswith("v") else f"{model} v{version}"


def _signal_text(signal: AlertSignal) -> str:
    if signal.headline:
        return printable(signal.headline)
    name, change = printable(signal.name, _NAME_CHARS), printable(signal.change)
    if signal.test == signal.name and change:  # the pipeline's own: words say it best
        return f"'{name}' ({change})"
    value, threshold = figures(signal.value, signal.threshold)
    inside = f"{value}, threshold {threshold}"
    if signal.test != signal.name:
        inside = f"{TEST_TEXT.get(signal.test, signal.test)} {inside}"
    return f"'{name}' ({inside}; {change})" if change else f"'{name}' ({inside})"
