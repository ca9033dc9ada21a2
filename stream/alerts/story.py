"""What episodes of one subject have to do with each other: one cause is one story.

Episodes that are open at a time name each other, the one whose change began first in front. Inputs
are what a prediction and its errors come from, so an alert about these says which inputs moved
before or with them, and up to which share that accounts for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from detectors import ChangePoint
from detectors.causes import LEAST_EXPLAINED, Explained
from detectors.figures import percent
from stream.alerts.members import Members, leader
from stream.alerts.sentences import KIND_TEXT, minute
from stream.contracts.alert_event import (
    KINDS,
    MAX_RELATED_SIGNALS,
    Action,
    Kind,
    RelatedEpisode,
    RelatedSignal,
    episode_id,
    fingerprint,
    format_time,
    parse_time,
)
from stream.plans.plan import Subject
from stream.text.printable import MAX_NAME, printable

__all__ = [
    "CAUSES",
    "Beside",
    "Explain",
    "Open",
    "action_of_story",
    "beside",
    "causes_named",
    "related_words",
    "story",
]

#: Which kinds may be why, by the kind that an alert is of. Causes are inputs; the prediction is
#: between them and its errors.
CAUSES: Final[Mapping[Kind, tuple[Kind, ...]]] = {
    "prediction_drift": ("data_quality", "data_drift"),
    "concept_drift": ("data_quality", "data_drift", "prediction_drift"),
    "performance": ("data_quality", "data_drift", "prediction_drift"),
}
_INPUTS: Final = CAUSES["prediction_drift"]
#: Of causes that began at the same time, inputs stand first.
_ORDER: Final = tuple(dict.fromkeys((*CAUSES["performance"], *KINDS)))
#: What to do where an input explains what happened, rather than about the model.
_OF_CAUSE: Final[Mapping[Kind, Action]] = {
    "data_quality": "check_pipeline",
    "data_drift": "investigate_features",
}
#: Signals of one cause that a sentence names.
_NAMED: Final = 2
#: From this share on a sentence has how much of an input the reference does not know.
_MUCH_UNKNOWN: Final = 0.05

#: Since a change: what each input explains of the prediction's move; None if that is not known, or
#: not clear yet.
Explain = Callable[[ChangePoint | None], Mapping[str, Explained] | None]


class Open(NamedTuple):
    """An episode that is open: its kind, when it opened, and who is in it."""

    kind: Kind
    opened_ms: int
    members: Members


class Beside(NamedTuple):
    """What an alert says of the other episodes.

    Attributes
    ----------
    related : list of RelatedEpisode
        The other open ones, the one that began first in front.
    is_unexplained : bool
        Whether no input, drifted or not, explains the prediction's move.
    """

    related: list[RelatedEpisode]
    is_unexplained: bool = False

    def joined_by(self, before: Iterable[RelatedEpisode]) -> Beside:
        """These with others that were named before; of one that is in both, as it was named."""
        by_episode = {one.episode: one for one in (*self.related, *before)}
        return Beside(_in_order(by_episode.values()), self.is_unexplained)


def beside(
    kind: Kind, subject: Subject, episodes: Iterable[Open], explain: Explain | None = None
) -> Beside:
    """The other open episodes of a subject, as an alert of this kind names them.

    Those of kind system are left out: what is said of a model does not depend on how its workers
    ran. So are those without a member, which end with this pane.
    """
    opened = [one for one in episodes if one.members and one.kind != "system"]
    shares: Mapping[str, Explained] = {}
    moved = next((one for one in opened if one.kind == "prediction_drift"), None)
    if kind in CAUSES and moved is not None and explain is not None:
        shares = explain(leader(moved.members).began) or {}
    related = [
        RelatedEpisode(
            episode_id(fingerprint(*subject, one.kind), one.opened_ms),
            one.kind,
            format_time(_began_ms(one)),
            _signals(one, shares if one.kind in _INPUTS else {}),
        )
        for one in opened
        if one.kind != kind
    ]
    related = _in_order(related)
    is_unexplained = bool(shares) and all(
        found.share < LEAST_EXPLAINED and found.unknown < _MUCH_UNKNOWN for found in shares.values()
    )
    return Beside(related, is_unexplained)


def _in_order(related: Iterable[RelatedEpisode]) -> list[RelatedEpisode]:
    """The one whose change began first in front."""
    return sorted(related, key=lambda one: (one.since or "", _ORDER.index(one.kind)))


def _began_ms(one: Open) -> int:
    """When the first of its changes began."""
    known = [m.began.estimate_ms for m in one.members.values() if m.began is not None]
    return min([one.opened_ms, *known])


def _signals(one: Open, shares: Mapping[str, Explained]) -> list[RelatedSignal]:
    """Its signals, those that explain most first, then those that changed first."""
    signals: dict[str, RelatedSignal] = {}
    for member in one.members.values():
        name = member.finding.signal
        since = format_time(one.opened_ms if member.began is None else member.began.estimate_ms)
        if name in signals and (signals[name].since or "") <= since:
            continue
        found = shares.get(name)
        signals[name] = RelatedSignal(
            name,
            since,
            None if found is None else round(found.share, 2),
            None if found is None else round(found.unknown, 2) or None,
        )
    ranked = sorted(signals.values(), key=lambda s: (-(s.explains or 0.0), s.since or "", s.name))
    return ranked[:MAX_RELATED_SIGNALS]


def causes_named(kind: Kind, others: Beside) -> set[str]:
    """What an alert of this kind names as what may be why: kinds, and the input that leads.

    Also that there is none, in an alert of the prediction itself.
    """
    causes = [one for one in others.related if one.kind in CAUSES.get(kind, ())]
    leads = [(one.kind, _explaining(one)[0].name) for one in causes if _explaining(one)]
    named = {one.kind for one in causes} | {f"{of} {name}" for of, name in leads}
    return named | ({"nothing"} if others.is_unexplained and kind == "prediction_drift" else set())


def _explaining(one: RelatedEpisode) -> list[RelatedSignal]:
    """Its signals that explain enough to be told."""
    return [s for s in one.signals if (s.explains or 0.0) >= LEAST_EXPLAINED]


def action_of_story(kind: Kind, related: Iterable[RelatedEpisode], action: Action) -> Action:
    """What to do: where an input explains a loss of performance, about the input."""
    if kind != "performance":
        return action
    explaining = [(s, one) for one in related for s in _explaining(one) if one.kind in _OF_CAUSE]
    if not explaining:
        return action
    _, cause = max(explaining, key=lambda pair: pair[0].explains or 0.0)
    return _OF_CAUSE[cause.kind]


def story(kind: Kind, others: Beside) -> str:
    """One sentence of what may be why, the earliest first; "" where nothing is.

    Such as "Data drift in 'x' since 2026-03-01 10:02 UTC explains up to 70 % of the prediction's
    move; prediction drift in 'score' since 2026-03-01 10:03 UTC."
    """
    clauses = [_clause(one) for one in others.related if one.kind in CAUSES.get(kind, ())]
    if others.is_unexplained:
        clauses.append("the prediction's move is not explained by any single input")
    text = "; ".join(clauses)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _clause(one: RelatedEpisode) -> str:
    explaining = _explaining(one)
    signals = explaining[:1] or one.signals[:_NAMED]
    since = minute(parse_time(signals[0].since or one.since or ""))
    more = ", and more" if not explaining and len(one.signals) > len(signals) else ""
    text = f"{KIND_TEXT[one.kind]} in {_names(signals)}{more}"
    text += f" since {since} UTC"
    if explaining:
        text += f" explains up to {percent(explaining[0].explains or 0.0)} of the prediction's move"
    text += _unknown(signals[0])
    if explaining:
        others = explaining[1:_NAMED]
        text += "".join(f", {_names([s])} up to {percent(s.explains or 0.0)}" for s in others)
    return text


def _names(signals: Iterable[RelatedSignal]) -> str:
    return " and ".join(f"'{printable(signal.name, MAX_NAME)}'" for signal in signals)


def _unknown(signal: RelatedSignal) -> str:
    if signal.unknown is None or signal.unknown < _MUCH_UNKNOWN:
        return ""
    return f" ({percent(signal.unknown)} of its values have no like in the reference)"


def related_words(one: RelatedEpisode) -> str:
    """A related episode in full: `data drift since 2026-03-01 10:02 UTC: 'x' (up to 70 %), 'y'`."""
    text = KIND_TEXT[one.kind]
    if one.since:
        text += f" since {minute(parse_time(one.since))} UTC"
    if not one.signals:
        return text
    parts = []
    for signal in one.signals:
        part = _names([signal])
        if signal.explains is not None:
            part += f" explains up to {percent(signal.explains)}{_unknown(signal)}"
        parts.append(part)
    return f"{text}: {', '.join(parts)}"
