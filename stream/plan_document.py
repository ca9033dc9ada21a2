"""The stored form of a plan: what is on the plans topic, typed field by field."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["PLAN_FORMAT", "PlanDocument", "PlanSettings", "SignalOptions"]

PLAN_FORMAT: Final = "driftstream.plan.v1"


class SignalOptions(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a user says of one signal. `tests` empty means the default set for its kind."""

    monitor: bool = True
    importance: float | None = None
    tests: tuple[str, ...] = ()
    public: bool = False


class PlanSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of a plan but its reference; as stored and as hashed."""

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


class PlanDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The stored form: every field that decides something, and the reference's own JSON."""

    format: str
    effective_from_ms: int
    settings: PlanSettings
    reference: msgspec.Raw
