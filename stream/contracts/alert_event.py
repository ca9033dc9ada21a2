"""Alert event v1: a CloudEvent whose `data` mirrors an Alertmanager alert. See docs/alerts.md.

Everything here is a function of its arguments, so the same episode gives the same bytes and ids on
every worker and in every replay.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

import msgspec

from stream.contracts.alert_signal import (
    MAX_BINS,
    MAX_SIGNALS,
    SIGNALS_WITH_BINS,
    AlertBins,
    AlertChangePoint,
    AlertExpectedErrors,
    AlertQuantiles,
    AlertSignal,
    AlertTime,
)
from stream.contracts.budget_summary import BudgetSummary
from stream.contracts.errors import DriftstreamError

__all__ = [
    "ALERT_TYPE",
    "CONCEPT_DRIFT_NOTE",
    "KINDS",
    "MAX_BINS",
    "MAX_RELATED_SIGNALS",
    "MAX_SIGNALS",
    "NOT_ENDED",
    "SEVERITIES",
    "SIGNALS_WITH_BINS",
    "Action",
    "AlertBins",
    "AlertBudget",
    "AlertChangePoint",
    "AlertContext",
    "AlertData",
    "AlertError",
    "AlertEvent",
    "AlertExpectedErrors",
    "AlertLabels",
    "AlertQuantiles",
    "AlertSignal",
    "AlertTime",
    "AlertWindow",
    "Annotations",
    "Kind",
    "News",
    "RelatedEpisode",
    "RelatedSignal",
    "Severity",
    "alert_schema",
    "decode_alert",
    "encode_alert",
    "episode_id",
    "event_id",
    "fingerprint",
    "format_time",
    "is_reminder",
    "parse_time",
]

ALERT_TYPE: Final = "io.driftstream.alert.v1"
#: Signals of another episode that an alert names.
MAX_RELATED_SIGNALS: Final = 5
#: `endsAt` of a firing alert, as Alertmanager writes it.
NOT_ENDED: Final = "0001-01-01T00:00:00Z"

Status: TypeAlias = Literal["firing", "resolved"]
Severity: TypeAlias = Literal["info", "warning", "critical"]
Kind: TypeAlias = Literal[
    "data_drift",
    "prediction_drift",
    "label_drift",
    "concept_drift",
    "performance",
    "fairness",
    "data_quality",
    "system",
]
#: Mildest first.
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
#: For who names `concept_drift` alone: events of before `label_drift` have it in its place.
CONCEPT_DRIFT_NOTE: Final = (
    "concept_drift now is that the same score brings other actuals than in the reference; that "
    "actuals as a whole are distributed otherwise, which was called so before, is label_drift"
)
Action: TypeAlias = Literal[
    "investigate_features",
    "investigate_actuals",
    "retrain",
    "rollback",
    "review_decisions",
    "check_pipeline",
    "scale",
]
#: What a revision says that is new.
News: TypeAlias = Literal[
    "opened",
    "joined",
    "left",
    "severity",
    "lead",
    "grown",
    "direction",
    "from_start",
    "day",
    "cause",
    "resolved",
]
_Id: TypeAlias = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]


class AlertError(DriftstreamError, ValueError):
    """Bytes that are not an alert event of this version."""


class AlertLabels(msgspec.Struct, frozen=True):
    """What identifies the alert. Severity is not among them: it may change."""

    alertname: str
    model: str
    model_version: str
    kind: Kind


class Annotations(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a person reads, and what a program may do.

    `evidence` says how often chance alone would bring the leading signal's finding.
    """

    summary: str
    action: Action
    runbook_url: str
    dashboard_url: str
    evidence: str = ""


class AlertWindow(msgspec.Struct, frozen=True):
    """The event times and the number of events that the leading signal was tested on."""

    start: AlertTime
    end: AlertTime
    events: int


class AlertBudget(msgspec.Struct, frozen=True):
    """The false alarms a week that the user allows, and the level of one test that follows."""

    false_alarms_per_week: float
    alpha: float


class RelatedSignal(msgspec.Struct, frozen=True, omit_defaults=True):
    """A signal of another episode, and since when it changed.

    `explains` is of an input, in an alert about predictions or their errors: the share of the
    prediction's move that it accounts for, at most; other inputs may share it. `unknown` is the
    share of its values that the reference does not have, which explain nothing.
    """

    name: str
    since: AlertTime | None = None
    explains: float | None = None
    unknown: float | None = None


class RelatedEpisode(msgspec.Struct, frozen=True, omit_defaults=True):
    """Another episode of the same model and version that is open.

    `since` is when the first of its changes began. `signals` has those that explain most, then
    those that changed first.
    """

    episode: _Id
    kind: Kind
    since: AlertTime | None = None
    signals: Annotated[list[RelatedSignal], msgspec.Meta(max_length=MAX_RELATED_SIGNALS)] = []


class AlertData(msgspec.Struct, frozen=True, rename={"starts_at": "startsAt", "ends_at": "endsAt"}):
    """One revision of an episode. `joined` and `left` are against the revision before.

    `news` says why it was published; empty for a reminder that the episode still fires. `related`
    are the other episodes of the same model and version that are open, the one that began first in
    front, in the last revision with those of the one before it; none of kind system, so that what
    is said of a model does not depend on how its workers ran.
    """

    status: Status
    severity: Severity
    revision: Annotated[int, msgspec.Meta(ge=1)]
    fingerprint: _Id
    episode: _Id
    labels: AlertLabels
    annotations: Annotations
    starts_at: AlertTime
    ends_at: AlertTime
    signals: Annotated[list[AlertSignal], msgspec.Meta(max_length=MAX_SIGNALS)]
    joined: list[str]
    left: list[str]
    window: AlertWindow
    reference: str
    config: str
    budget: AlertBudget
    offsets: dict[str, tuple[int, int]]
    news: list[News] = []
    related: list[RelatedEpisode] = []


class AlertEvent(msgspec.Struct, frozen=True):
    """The CloudEvent."""

    specversion: Literal["1.0"]
    id: _Id
    source: str
    type: Literal["io.driftstream.alert.v1"]
    subject: str
    time: AlertTime
    datacontenttype: Literal["application/json"]
    data: AlertData


class AlertContext(msgspec.Struct, frozen=True):
    """What an alert says of its surroundings; the plan and the monitor know it.

    Attributes
    ----------
    runbook_url : str
        "{kind}" in it stands for the kind of the alert.
    reference, config : str
        Hashes of the reference and of the plan.
    offsets : dict
        Source partition ("predictions-0") -> (first, last offset) that the decision saw.
    private : bool
        Hide everything that was ever a value: categories, edges, segment values, descriptions.
    budget_summary : BudgetSummary, optional
        What the budget allows.
    """

    environment: str = "default"
    dashboard_url: str = ""
    runbook_url: str = ""
    reference: str = ""
    config: str = ""
    false_alarms_per_week: float = 1.0
    alpha: float = 0.0
    offsets: dict[str, tuple[int, int]] = {}
    private: bool = False
    budget_summary: BudgetSummary | None = None


def fingerprint(model: str, version: str, kind: str) -> str:
    """Identity of (model, version, kind), the same for ever: the key on the alerts topic."""
    return _hash("fingerprint", model, version, kind)


def episode_id(fingerprint: str, opening_pane_ms: int) -> str:
    """Identity of one episode."""
    return _hash("episode", fingerprint, opening_pane_ms)


def event_id(episode: str, revision: int) -> str:
    """Identity of one revision: the CloudEvent's `id`."""
    return _hash("event", episode, revision)


def _hash(*parts: str | int) -> str:
    # JSON keeps the parts apart: ("a", "b/c") and ("a/b", "c") must differ.
    return hashlib.sha256(msgspec.json.encode((ALERT_TYPE, *parts))).hexdigest()[:32]


def format_time(time_ms: int) -> str:
    """RFC 3339, UTC, milliseconds: `1772366400123` -> `2026-03-01T12:00:00.123Z`."""
    seconds, ms = divmod(time_ms, 1000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms:03d}Z"


def parse_time(text: str) -> int:
    """Milliseconds since the epoch of an RFC 3339 time."""
    time = datetime.fromisoformat(text)
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


def is_reminder(alert: AlertEvent, before: AlertEvent | None) -> bool:
    """Whether an event says no more than that its episode still fires.

    `before` is the revision before it, if it is known: workers of before `news` did not tell.
    """
    data = alert.data
    changed = (
        bool(data.news)
        or before is None
        or before.data.severity != data.severity
        or data.joined
        or data.left
    )
    return data.status == "firing" and data.revision > 1 and not changed


def encode_alert(alert: AlertEvent) -> bytes:
    """An alert as the value of a Kafka message."""
    return msgspec.json.encode(alert)


def decode_alert(value: bytes, source: str = "alert") -> AlertEvent:
    """Read and validate an alert; fields of later minor revisions are ignored.

    Raises
    ------
    AlertError
        If the bytes are not alert event v1, naming `source` and the place.
    """
    try:
        return _DECODER.decode(value)
    except (ValueError, RecursionError) as error:
        raise AlertError(f"{source} is not an {ALERT_TYPE} event: {error!s:.300}") from error


def alert_schema() -> bytes:
    """JSON Schema of the alert event, as published in docs/alert.v1.schema.json."""
    schema: dict[str, Any] = msgspec.json.schema(AlertEvent)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"driftstream alert event v1 ({ALERT_TYPE})",
        **schema,
    }
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"


_DECODER: Final = msgspec.json.Decoder(AlertEvent)
