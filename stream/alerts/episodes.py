"""Findings to alerts: an episode opens, is revised, and resolves. Event time only.

There is one episode for each (subject, kind) at a time, so many drifted signals and segments are
one alert. What keeps it quiet:

- a signal stays in its episode until two looks in a row, one at each half of a window, were clean,
  more where episodes come and go (`patience`), and its severity falls only after eight windows with
  a lower one: hovering at a threshold makes no revisions; a look at what no value came of is none;
- a new revision is made only when there is news: a signal joins or leaves, the severity changes,
  another signal takes the lead by a clear margin, the leader's change doubled, a signal changes
  direction, a run of single days unlike the reference's begins, it turns out that the reference
  never fitted, or what may be why has another name than before (`story`);
- without news it is published again ever more seldom, at last every eight days;
- between two full windows of the whole stream only a rise of the severity and single days are news:
  signals of one cause that are found pane after pane join together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from stream.alerts.compose import Revision, compose
from stream.alerts.finding import Finding
from stream.alerts.members import Heard, Member, Members, close_windows, key_of, rank, take_findings
from stream.alerts.news import Published, news_of
from stream.alerts.patience import FEWEST_LOOKS, Rest, looks_after, reminder_ms
from stream.alerts.sentences import STILL
from stream.alerts.severity import SEVERITY_OF_LEVEL
from stream.alerts.story import Beside, Explain, Open, beside, causes_named
from stream.contracts.alert_event import (
    AlertContext,
    AlertEvent,
    Kind,
    News,
    RelatedEpisode,
    Severity,
)
from stream.plans.plan import Subject
from stream.text.durations import duration

__all__ = ["Episodes", "Finding"]


class _Episode(msgspec.Struct, array_like=True):
    kind: Kind
    opened_ms: int
    revision: int
    severity: int  # as last published
    leader: str  # key of the member that led the last publication
    published_ms: int
    members: Members
    left: list[Member] = []  # and not published as such yet
    looks: int = FEWEST_LOOKS  # without a finding, until a signal leaves
    worst: tuple[int, float, str] = (0, 0.0, "")  # level, weight and headline that led then
    causes: list[str] = []  # what may be why and was published as such
    related: list[RelatedEpisode] = []  # as last published


class Episodes:
    """The open episodes of one subject."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._open: dict[str, _Episode] = {}
        self._last: dict[str, Rest] = {}  # by kind

    @property
    def active(self) -> dict[Kind, Severity]:
        """Kind -> severity of what fires now."""
        return {
            episode.kind: SEVERITY_OF_LEVEL[episode.severity]
            for _, episode in sorted(self._open.items())
        }

    def step(
        self,
        pane_end_ms: int,
        findings: Iterable[Finding],
        window_closed: bool,
        context: AlertContext,
        segments_closed: Collection[str] | None = None,
        only: Collection[str] | None = None,
        unlike: Collection[str] | None = None,
        day_ended: bool = False,
        explain: Explain | None = None,
        heard: Heard | None = None,
    ) -> list[AlertEvent]:
        """Take the findings of one sealed pane; the alerts to publish, by kind.

        Parameters
        ----------
        pane_end_ms : int
            Event time of the decision; must not decrease.
        findings : iterable of Finding
            Of every scope.
        window_closed : bool
            Whether a full window of the whole stream ended with this pane.
        context : AlertContext
            What the alerts say of their surroundings.
        segments_closed : collection of str, optional
            Segments whose full window ended with this pane. If not given, signals of segments
            leave with the windows of the whole stream.
        only : collection of str, optional
            Kinds that are looked at; all if not given.
        unlike : collection of str, optional
            Given when the window of the whole stream is half full: signals that a look at it does
            not find to be as their reference. The others may leave there, too.
        day_ended : bool
            Whether a day is over of a stream whose days are tested: a signal of which only a single
            day was found may leave.
        explain : callable, optional
            Tells what inputs explain of the prediction's move. Called only where an alert is
            published that says so.
        heard : callable, optional
            Tells whether a value came of what is looked at; all were heard if not given.
        """
        by_kind: dict[str, list[Finding]] = {}
        for finding in findings:
            by_kind.setdefault(finding.kind, []).append(finding)
        alerts = []
        for kind, found in by_kind.items():
            if kind not in self._open and (only is None or kind in only):
                looks = looks_after(self._last.get(kind), pane_end_ms)
                opened = _Episode(
                    found[0].kind, pane_end_ms, 0, 0, "", pane_end_ms, {}, looks=looks
                )
                self._open[kind] = opened
        looked_at = sorted(self._open if only is None else self._open.keys() & set(only))
        for kind in looked_at:  # all of them before any is published: they name each other
            found = by_kind.get(kind, [])
            episode = self._open[kind]
            members = episode.members
            take_findings(members, found)
            looked = None if kind == "system" else unlike  # its trouble is no distribution's
            episode.left += close_windows(
                members,
                pane_end_ms,
                window_closed,
                segments_closed,
                episode.looks,
                looked,
                day_ended,
                heard,
            )
        for kind in looked_at:
            episode = self._open[kind]
            members = episode.members
            due = pane_end_ms >= reminder_ms(episode.opened_ms, episode.published_ms)
            worse = max((m.severity for m in members.values()), default=0) > episode.severity
            odd_day = any(m.days.words for m in members.values())
            turned = any(m.way.turned for m in members.values())
            if members and not (window_closed or due or worse or odd_day or turned):
                continue
            alert = self._revise(episode, pane_end_ms, context, explain)
            if alert is not None:
                alerts.append(alert)
        return alerts

    def resolve(
        self,
        time_ms: int,
        context: AlertContext,
        reason: str = "rebased",
        keep: Collection[str] = (),
    ) -> list[AlertEvent]:
        """End every open episode now, for this reason, but those of some kinds."""
        alerts = []
        for kind, episode in sorted(self._open.items()):
            if kind in keep:
                continue
            alerts.append(self._end(episode, time_ms, rank(episode.members), context, reason))
        self._last = {kind: last for kind, last in self._last.items() if kind in keep}
        return alerts

    def leave(self, kind: str, signal: str, now_ms: int, context: AlertContext) -> list[AlertEvent]:
        """A signal's trouble is over for certain: it leaves at once."""
        episode = self._open.get(kind)
        if episode is None:
            return []
        for key, member in list(episode.members.items()):
            if member.finding.signal == signal:
                episode.left.append(episode.members.pop(key))
        alert = self._revise(episode, now_ms, context)
        return [] if alert is None else [alert]

    def dump(self) -> list[Any]:
        """The whole state as plain lists, numbers and text."""
        episodes = [msgspec.to_builtins(episode) for _, episode in sorted(self._open.items())]
        return [episodes, sorted(msgspec.to_builtins(self._last).items())]

    @classmethod
    def load(cls, subject: Subject, state: list[Any]) -> Episodes:
        """Inverse of `dump`."""
        episodes = cls(subject)
        listed, last = msgspec.convert(state, tuple[list[_Episode], list[tuple[str, Rest]]])
        episodes._open = {episode.kind: episode for episode in listed}
        episodes._last = dict(last)
        return episodes

    def _revise(
        self,
        episode: _Episode,
        now_ms: int,
        context: AlertContext,
        explain: Explain | None = None,
    ) -> AlertEvent | None:
        """The next revision, if there is something to say."""
        gone = {key_of(member.finding): member for member in episode.left}
        if not episode.members:
            return self._end(episode, now_ms, rank(gone), context)
        ranked = rank(episode.members)
        for member in ranked:  # who left and came back between two revisions did neither
            if (before := gone.pop(key_of(member.finding), None)) is not None:
                member.since, member.began = before.since, before.began
        left = [member for member in gone.values() if member.since]
        joined = [member for member in ranked if not member.since]
        leader = episode.members.get(episode.leader)
        published = Published(episode.revision, episode.severity, leader)
        news = news_of(published, ranked, joined, left, context.private)
        others = self._beside(episode, explain)
        causes = causes_named(episode.kind, others)
        if episode.revision and not causes <= set(episode.causes):
            news.append(("cause", ""))  # the story says which
        notes = [words for _, words in news if words]
        if not news:
            if now_ms < reminder_ms(episode.opened_ms, episode.published_ms):
                return None
            notes = [f"{STILL}{duration(now_ms - episode.opened_ms)}"]
        episode.revision += 1
        episode.severity = ranked[0].severity
        episode.leader = key_of(ranked[0].finding)
        episode.published_ms = now_ms
        episode.left = []
        episode.causes = sorted({*episode.causes, *causes})
        episode.related = others.related
        lead = ranked[0]
        standing = (lead.severity, lead.finding.weight, lead.finding.headline)
        episode.worst = max(episode.worst, standing)
        for member in ranked:
            member.note_published(episode.revision, news=bool(news))
        codes = [code for code, _ in news]
        return self._event(episode, now_ms, ranked, joined, left, context, notes, codes, others)

    def _beside(self, episode: _Episode, explain: Explain | None = None) -> Beside:
        """What it says of the other open episodes."""
        ordered = (one for _, one in sorted(self._open.items()))
        opened = [Open(one.kind, one.opened_ms, one.members) for one in ordered]
        return beside(episode.kind, self._subject, opened, explain)

    def _end(
        self,
        episode: _Episode,
        now_ms: int,
        left: list[Member],
        context: AlertContext,
        reason: str = "resolved",
    ) -> AlertEvent:
        """The last revision, with the signals that were in the episode at the end."""
        del self._open[episode.kind]
        now_ms = max(now_ms, episode.opened_ms)  # data that end a silence may be older than it
        self._last[episode.kind] = Rest(now_ms, now_ms - episode.opened_ms, episode.looks)
        episode.revision += 1
        lasted = duration(now_ms - episode.opened_ms)
        notes = [f"{reason} after {lasted}"]
        for member in left:
            member.since = member.since or episode.revision
        # Those that end with it, or did before: this event is what the topic keeps of the episode.
        others = self._beside(episode).joined_by(episode.related)
        return self._event(episode, now_ms, left, [], left, context, notes, ["resolved"], others)

    def _event(
        self,
        episode: _Episode,
        now_ms: int,
        ranked: Sequence[Member],
        joined: Sequence[Member],
        left: Sequence[Member],
        context: AlertContext,
        notes: list[str],
        news: list[News],
        others: Beside,
    ) -> AlertEvent:
        revision = Revision(
            self._subject,
            episode.kind,
            SEVERITY_OF_LEVEL[episode.severity],
            episode.revision,
            episode.opened_ms,
            now_ms,
            ranked,
            joined,
            left,
            notes,
            news,
            others,
            episode.worst[-1] if "resolved" in news and not context.private else "",
        )
        return compose(revision, context)
