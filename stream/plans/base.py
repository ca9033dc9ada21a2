"""What every plan says of a stream, with or without a reference: settings, checked and hashed."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Any, Final

import msgspec

from stream.contracts.plan_document import (
    PLAN_FORMAT,
    RETIRE_AFTER_MS,
    PlanDocument,
    PlanSettings,
    SignalOptions,
)

__all__ = ["ANY_VERSION", "MINUS_INFINITY", "BasePlan", "PlanError"]

#: A time before every event.
MINUS_INFINITY: Final = -(2**62)
#: A plan's version that stands for every version of its model.
ANY_VERSION: Final = "*"
DAY_MS: Final = 86_400_000
#: Left out of the hash where they are so, which keeps that of plans made before they were known.
_LATER: Final = {"calibrate_ms": 0, "no_data_after_ms": 0, "stale_after_ms": 0,
                 "retire_after_ms": RETIRE_AFTER_MS}  # fmt: skip
_DEFAULT_OPTIONS: Final = SignalOptions()


class PlanError(ValueError):
    """A plan that cannot be used, saying which field, what it holds and what it may hold."""


@dataclass(frozen=True)
class BasePlan(ABC):
    """Settings of one model's stream. Times are milliseconds.

    `calibrate_ms` is the event time for which dependence is measured in production before anything
    is tested; 0 where the reference says it already. `no_data_after_ms` is the silence after which
    an episode says so, `stale_after_ms` the age at which an event is; 0 for never. Of a plan for
    every version, one that was not heard for `retire_after_ms` is forgotten.
    """

    model: str
    _: KW_ONLY
    version: str = ANY_VERSION
    topic: str = "predictions"
    format: str = "native"
    segments: tuple[str, ...] = ()
    pane_ms: int = 10_000
    lateness_ms: int = 5_000
    cycle_ms: int = 0
    window_events: int = 1_000
    window_max_age_ms: int = DAY_MS
    window_min_events: int = 300
    false_alarms_per_week: float = 1.0
    signals: Mapping[str, SignalOptions] = field(default_factory=dict)
    private: bool = False
    environment: str = "default"
    dashboard_url: str = ""
    runbook_url: str = ""
    calibrate_ms: int = 0
    no_data_after_ms: int = 0
    stale_after_ms: int = 0
    retire_after_ms: int = RETIRE_AFTER_MS

    def __post_init__(self) -> None:
        for name, least in (("pane_ms", 1), ("lateness_ms", 0), ("cycle_ms", 0),
                            ("window_events", 100), ("window_min_events", 50),
                            ("window_max_age_ms", self.pane_ms), ("calibrate_ms", 0),
                            ("no_data_after_ms", 0), ("stale_after_ms", 0),
                            ("retire_after_ms", self.pane_ms + self.no_data_after_ms)):  # fmt: skip
            if (got := getattr(self, name)) < least:
                raise PlanError(f"plan {self.model}: {name} must be >= {least}; got {got}.")
        if not 0 < self.false_alarms_per_week < math.inf:
            raise PlanError(
                f"plan {self.model}: false_alarms_per_week must be > 0; "
                f"got {self.false_alarms_per_week}. Use a small number such as 0.02 for one a year."
            )
        if self.cycle_ms % self.pane_ms:
            raise PlanError(
                f"plan {self.model}: cycle must be a whole number of panes; got cycle "
                f"{self.cycle_ms} ms and pane {self.pane_ms} ms. Choose a pane that divides it."
            )
        for name in self.segments:
            if not name or "=" in name or self.segments.count(name) > 1:
                raise PlanError(
                    f"plan {self.model}: segments must be different names without '='; got "
                    f"{name!r} in {list(self.segments)}. Rename it in the events and the reference."
                )

    @property
    @abstractmethod
    def baseline(self) -> tuple[str, Any]:
        """What the stream is compared to: a member of the plan's document and its value."""

    @property
    def baseline_id(self) -> object:
        """What stands for the baseline in the plan's hash."""
        return self.baseline[1]

    def options(self, name: str) -> SignalOptions:
        """The options of a signal, or the defaults."""
        return self.signals.get(name, _DEFAULT_OPTIONS)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """All but the baseline, as plain values in a fixed order."""
        plain = {name: getattr(self, name) for name in sorted(PlanSettings.__struct_fields__)}
        plain["false_alarms_per_week"] = float(self.false_alarms_per_week)
        plain["segments"] = list(self.segments)
        plain["signals"] = {
            name: msgspec.to_builtins(self.signals[name]) for name in sorted(self.signals)
        }
        for name, default in _LATER.items():
            if plain[name] == default:
                del plain[name]
        return plain

    @cached_property
    def hash(self) -> str:
        """`sha256:...` of the settings and what stands for the baseline."""
        text = msgspec.json.encode([PLAN_FORMAT, self.settings, self.baseline_id], order="sorted")
        return "sha256:" + hashlib.sha256(text).hexdigest()

    @cached_property
    def short_hash(self) -> bytes:
        """Eight bytes of the hash, as stamped on every summary."""
        return bytes.fromhex(self.hash[7:23])

    def pane_of(self, time_ms: int) -> int:
        """Start of the pane that holds this time."""
        return time_ms - time_ms % self.pane_ms

    def encode(self, effective_from_ms: int = MINUS_INFINITY) -> bytes:
        """The plan as stored on the plans topic, with the time it holds from."""
        settings = msgspec.convert(self.settings, PlanSettings)
        member, value = self.baseline
        document = PlanDocument(PLAN_FORMAT, effective_from_ms, settings, **{member: value})
        return msgspec.json.encode(document)
