"""The stored form of a plan: what is on the plans topic, typed field by field."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

__all__ = [
    "LEAST_WARM_UP",
    "PLAN_FORMAT",
    "RETIRE_AFTER_MS",
    "DeclaredSignal",
    "Learn",
    "PlanDocument",
    "PlanSettings",
    "SignalOptions",
]

PLAN_FORMAT: Final = "driftstream.plan.v1"
#: 60 days: a version that is heard once a month stays.
RETIRE_AFTER_MS: Final = 5_184_000_000
#: A reference learned from fewer events would find nothing.
LEAST_WARM_UP: Final = 1_000


class SignalOptions(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a user says of one signal. `tests` empty means the default set for its kind."""

    monitor: bool = True
    importance: float | None = None
    tests: tuple[str, ...] = ()
    public: bool = False


class DeclaredSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user says of a signal without a reference; kind "auto": its values decide."""

    kind: Literal["numeric", "categorical", "auto"] = "auto"
    role: Literal["feature", "score", "label", "actual", "latency"] = "feature"


class Learn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a reference is learned: of these signals, or of all that come if none is named."""

    warm_up: Annotated[int, msgspec.Meta(ge=LEAST_WARM_UP)] = 10_000
    signals: dict[str, DeclaredSignal] = {}


class PlanSettings(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """All of a plan but its baseline; as stored and as hashed."""

    model: str
    version: str
    topic: str
    format: str
    segments: tuple[str, ...]
    pane_ms: int
    lateness_ms: int
    cycle_ms: int
    window_events: int
    window_max_age_ms: int
    window_min_events: int
    false_alarms_per_week: float
    signals: dict[str, SignalOptions]
    private: bool
    environment: str
    dashboard_url: str
    runbook_url: str
    calibrate_ms: int = 0
    no_data_after_ms: int = 0
    stale_after_ms: int = 0
    retire_after_ms: int = RETIRE_AFTER_MS


class PlanDocument(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The stored form: every field that decides something, and one of the two baselines.

    `reference` is the reference's own JSON.
    """

    format: str
    effective_from_ms: int
    settings: PlanSettings
    reference: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    learn: Learn | msgspec.UnsetType = msgspec.UNSET
