"""One revision of an episode as an alert event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stream.alerts.evidence import evidence
from stream.alerts.members import Member
from stream.alerts.sentences import action_for, alert_name, expected_words, sentence
from stream.alerts.story import Beside, action_of_story, story
from stream.contracts.alert_event import (
    ALERT_TYPE,
    MAX_SIGNALS,
    NOT_ENDED,
    SIGNALS_WITH_BINS,
    AlertBudget,
    AlertContext,
    AlertData,
    AlertEvent,
    AlertLabels,
    AlertWindow,
    Annotations,
    Kind,
    News,
    Severity,
    episode_id,
    event_id,
    fingerprint,
    format_time,
)
from stream.plans.plan import Subject

__all__ = ["Revision", "compose"]


class Revision(NamedTuple):
    """What is to be published: `ranked` members, strongest first; `notes` are `news` in words."""

    subject: Subject
    kind: Kind
    severity: Severity
    number: int
    opened_ms: int
    now_ms: int
    ranked: Sequence[Member]
    joined: Sequence[Member]
    left: Sequence[Member]
    notes: list[str]
    news: list[News]
    others: Beside  # the other open episodes
    was: str = ""  # of one that is over: the headline of its worst revision


def compose(revision: Revision, context: AlertContext) -> AlertEvent:
    """The alert event of a revision."""
    (model, version), kind = revision.subject, revision.kind
    ranked, private = revision.ranked, context.private
    lead = ranked[0].finding
    action = action_of_story(kind, revision.others.related, action_for(kind, lead.role))
    resolved = "resolved" in revision.news
    signals = [
        member.as_signal(private, at < SIGNALS_WITH_BINS, revision.number)
        for at, member in enumerate(ranked[:MAX_SIGNALS])
    ]
    identity = fingerprint(model, version, kind)
    episode = episode_id(identity, revision.opened_ms)
    summary = sentence(
        model,
        version,
        kind,
        signals,
        len({member.finding.signal for member in ranked}),
        notes=revision.notes,
        was=revision.was,
        since_ms=None if resolved else _since_ms(revision),
        why="" if resolved else _why(revision),
        action=None if resolved else action,
    )
    data = AlertData(
        status="resolved" if resolved else "firing",
        severity=revision.severity,
        revision=revision.number,
        fingerprint=identity,
        episode=episode,
        labels=AlertLabels(alert_name(kind), model, version, kind),
        annotations=Annotations(
            summary,
            action,
            context.runbook_url.replace("{kind}", kind),
            context.dashboard_url,
            evidence(lead, ranked[0].began, context.budget_summary),
        ),
        starts_at=format_time(revision.opened_ms),
        ends_at=format_time(revision.now_ms) if resolved else NOT_ENDED,
        signals=signals,
        joined=[member.name(private) for member in revision.joined][:MAX_SIGNALS],
        left=[member.name(private) for member in revision.left][:MAX_SIGNALS],
        window=AlertWindow(format_time(lead.start_ms), format_time(lead.end_ms), lead.events),
        reference=context.reference,
        config=context.config,
        budget=AlertBudget(context.false_alarms_per_week, context.alpha),
        offsets=context.offsets,
        news=revision.news,
        related=revision.others.related,
    )
    return AlertEvent(
        specversion="1.0",
        id=event_id(episode, revision.number),
        source=f"driftstream/{context.environment}",
        type=ALERT_TYPE,
        subject=f"{model}/{version}/{kind}",
        time=format_time(revision.now_ms),
        datacontenttype="application/json",
        data=data,
    )


def _why(revision: Revision) -> str:
    """What may have brought this; of an input that drifted, which errors it may bring."""
    if causes := story(revision.kind, revision.others):
        return causes
    worst: tuple[float, str] = (0.0, "")
    for member in revision.ranked:
        expected = member.finding.expected_errors
        if expected is not None and expected.rise > worst[0]:
            worst = expected.rise, expected_words(member.finding.signal, expected)
    return worst[1]


def _since_ms(revision: Revision) -> int | None:
    """When the leading change began, else when the episode was opened, if that is not now."""
    began = revision.ranked[0].began
    if began is not None:
        return began.estimate_ms
    return revision.opened_ms if revision.number > 1 else None
