"""The stored form of a plan: what is on the plans topic, typed field by field."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from detectors.references.segments import Segment
from stream.contracts.roles import RoleName
from stream.text.durations import DAY_MS

__all__ = [
    "ANY_VERSION",
    "MIN_WARM_UP",
    "PLAN_FORMAT",
    "DeclaredSignal",
    "Learn",
    "Limit",
    "PlanDocument",
    "PlanSettings",
    "SignalOptions",
]

PLAN_FORMAT: Final = "driftstream.plan.v1"
#: A plan's version that stands for every version of its model.
ANY_VERSION: Final = "*"
#: A reference learned from fewer events would find nothing.
MIN_WARM_UP: Final = 1_000


class SignalOptions(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a user says of one signal. `tests` empty means the default set for its kind."""

    monitor: Annotated[bool, Meta(description="Whether it is watched at all.")] = True
    importance: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="Weight in the ranking; default: equal shares."),
    ] = None
    tests: Annotated[
        tuple[str, ...], Meta(description="Tests to make; default: chosen by kind.")
    ] = ()
    public: Annotated[
        bool,
        Meta(description="Whether names of categories that the reference lacks may be told."),
    ] = False


class Limit(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a metric may be at least, or at most: one of both is given.

    It is critical unless something else is said: whoever draws a line means what is beyond it, and
    an earlier one with `severity = "warning"` may stand before it.
    """

    metric: Annotated[
        str,
        Meta(
            min_length=1,
            description="Of outcomes: `accuracy`, `error_rate`, `precision`, `recall`, `f1`, "
            "`specificity`, `selection_rate`, `positive_rate`, `brier`, `cost_per_event`, `mae`, "
            "as far as the task has it. Of a `signal`: `mean`, `missing_rate`, `share` of a "
            "`value`, `p50`, `p90`, `p95`, `p99`.",
        ),
    ]
    signal: Annotated[str, Meta(description="Whose mean, rate, share or quantile it is.")] = ""
    value: Annotated[
        str,
        Meta(
            description="The category of a `share`; of a model of several classes the class whose "
            "`precision`, `recall` or `f1` it is.",
        ),
    ] = ""
    at_least: Annotated[float | None, Meta(description="Less than that is bad.")] = None
    at_most: Annotated[
        float | None, Meta(description="More than that is bad. Exactly one of both is given.")
    ] = None
    severity: Annotated[
        Literal["info", "warning", "critical"],
        Meta(description="Of the finding."),
    ] = "critical"
    false_positive_cost: Annotated[
        float, Meta(ge=0, description="Of `cost_per_event`: what one costs.")
    ] = 0.0
    false_negative_cost: Annotated[
        float, Meta(ge=0, description="Of `cost_per_event`: what one costs.")
    ] = 0.0

    @property
    def side(self) -> Literal["at_least", "at_most"]:
        """Which of both is given."""
        return "at_most" if self.at_least is None else "at_least"

    @property
    def at(self) -> float:
        """The one that is given."""
        given = self.at_most if self.at_least is None else self.at_least
        assert given is not None
        return given


class DeclaredSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user says of a signal without a reference; kind "auto": its values decide."""

    kind: Annotated[
        Literal["numeric", "categorical", "auto"],
        Meta(description="Only without a reference: what to take it for."),
    ] = "auto"
    role: Annotated[
        RoleName,
        Meta(description="Only without a reference: what it is to the model."),
    ] = "feature"


class Learn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a reference is learned: of these signals, or of all that come if none is named."""

    warm_up: Annotated[
        int,
        Meta(
            ge=MIN_WARM_UP,
            description="Events that a reference is learned from, where there is none.",
            extra={"advice": "Raise it: a reference learned from fewer events finds nothing."},
        ),
    ] = 10_000
    signals: dict[str, DeclaredSignal] = {}


class PlanSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of a plan but its baseline; as stored, as hashed and as the config file says it.

    One field is one setting: with a description it is a key of `[[models]]`, without `_ms` where it
    is a duration. `by_reference` are those whose default in a config is what suits the reference.
    What is `added` to the first ones is left out of the hash where it is as by default, so that the
    hashes of older plans stay.
    """

    model: str
    version: Annotated[
        str,
        Meta(
            description="Version that this is for; `*` for each that has no entry of its own.",
        ),
    ] = ANY_VERSION
    topic: Annotated[str, Meta(min_length=1, description="Where its events are.")] = "predictions"
    format: Annotated[
        Literal["native"],
        Meta(
            description="Always `native`: how the records of a topic are written is in "
            "`[[sources]]`.",
            extra={"advice": "The format of a topic is that of [[sources]]."},
        ),
    ] = "native"
    segments: Annotated[
        tuple[Segment, ...],
        Meta(
            description='Segments of events to watch apart; `["sex", "age_band"]` among them is '
            "[each combination](../segments.md) of both. Default: the reference's.",
            extra={"by_reference": True},
        ),
    ] = ()
    false_alarms_per_week: Annotated[
        float,
        Meta(
            gt=0,
            description="The one knob: false alarms a week over all its signals and segments.",
            extra={"advice": "Use a small number such as 0.02 for one a year."},
        ),
    ] = 1.0
    pane_ms: Annotated[
        int,
        Meta(
            ge=1,
            description="Interval of event time that is counted together. Default: what suits the "
            "rate of the reference, as `fit` shows it; 10s without one.",
            extra={"by_reference": True},
        ),
    ] = 10_000
    lateness_ms: Annotated[
        int, Meta(ge=0, description="How long after a pane's end its events may still come.")
    ] = 5_000
    cycle_ms: Annotated[
        int,
        Meta(
            ge=0,
            description="Length of its season; windows are then whole cycles, which finds small "
            "changes late: for days and weeks fit with `--slots auto` instead. 24h and 7d say "
            "nothing more where the reference has slots. Default: the reference's.",
            extra={"by_reference": True},
        ),
    ] = 0
    window_events: Annotated[
        int,
        Meta(
            ge=100,
            description="A window closes with so many.",
            extra={"table": "window", "advice": "Raise it, or set min_events."},
        ),
    ] = 1_000
    window_max_age_ms: Annotated[
        int,
        Meta(
            ge=1,
            description="Or after so much event time. Default: twice what its events take at the "
            "rate of the reference, at least a day; 24h without one.",
            extra={"table": "window", "by_reference": True},
        ),
    ] = DAY_MS
    window_min_events: Annotated[
        int,
        Meta(
            ge=50,
            description="With fewer than so many it is not tested.",
            extra={"table": "window"},
        ),
    ] = 300
    signals: dict[str, SignalOptions] = {}
    private: Annotated[
        bool,
        Meta(
            description="Publish shapes only: no categories, edges, values of segments, means.",
        ),
    ] = False
    environment: str = "default"
    dashboard_url: str = ""
    runbook_url: str = ""
    calibrate_ms: Annotated[
        int,
        Meta(
            ge=0,
            description="Measure dependence in production for so long before anything is tested: "
            "[learn](../learn.md).",
            extra={"added": True},
        ),
    ] = 0
    no_data_after_ms: Annotated[
        int,
        Meta(
            ge=0,
            description="A model that was there and is silent for so long opens a `system` "
            "episode. Default: never.",
            extra={"added": True},
        ),
    ] = 0
    stale_after_ms: Annotated[
        int,
        Meta(
            ge=0,
            description="If more than a tenth of the events are older than that when they are "
            "sent, a `system` episode opens. Default: never.",
            extra={"added": True},
        ),
    ] = 0
    retire_after_ms: Annotated[
        int,
        Meta(
            ge=1,
            description="A version that has had no events for so long, in event time, is "
            'forgotten: what fires resolves as "retired", and if it comes back it begins anew. '
            "Not the version without a name, and none with a plan of its own.",
            extra={"added": True},
        ),
    ] = 5_184_000_000  # 60 days: a version that is heard once a month stays
    limits: Annotated[tuple[Limit, ...], Meta(extra={"added": True})] = ()
    protected: Annotated[
        tuple[Segment, ...],
        Meta(
            description="Those of the segments by which outcomes should not differ: "
            "[fairness](../fairness.md). Default: the reference's.",
            extra={"added": True, "by_reference": True},
        ),
    ] = ()
    fairness_difference: Annotated[
        float,
        Meta(
            gt=0,
            description="Rates of two values may differ by so much, as a share: 0.1 is 10 points.",
            extra={"added": True, "table": "fairness"},
        ),
    ] = 0.1
    fairness_ratio: Annotated[
        float,
        Meta(
            gt=0,
            description='One may be selected so many times as often as another: 0.8, the "four '
            'fifths" rule.',
            extra={"added": True, "table": "fairness"},
        ),
    ] = 0.8
    outcome_labels: Annotated[
        str,
        Meta(
            description="The topic of events that tell the `actual` of an earlier prediction by "
            "its `prediction_id`: workers then join them. It may be the model's own. Default: an "
            "event with an actual alone is counted and dropped.",
            extra={"added": True, "table": "outcome"},
        ),
    ] = ""
    outcome_wait_ms: Annotated[
        int,
        Meta(
            ge=1,
            description="How long after its prediction a label may come that is joined by id.",
            extra={"added": True, "table": "outcome"},
        ),
    ] = 2_592_000_000  # 30 days
    outcome_absent_means: Annotated[
        str,
        Meta(
            description='The class that it means if no label came within the wait: `"ok"` where '
            "only fraud is told. Default: nothing is known of it.",
            extra={"added": True, "table": "outcome"},
        ),
    ] = ""


class PlanDocument(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The stored form: every field that decides something, and one of the two baselines.

    `reference` is the reference's own JSON.
    """

    format: str
    effective_from_ms: int
    settings: PlanSettings
    reference: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    learn: Learn | msgspec.UnsetType = msgspec.UNSET
