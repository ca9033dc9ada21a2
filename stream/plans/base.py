"""What every plan says of a stream, with or without a reference: settings, checked and hashed."""

from __future__ import annotations

import hashlib
from abc import ABCMeta, abstractmethod
from functools import cached_property
from typing import Any, Final

import msgspec

from detectors.references.segments import check_segments, columns_of_segments, written
from stream.contracts.declared import settings_of
from stream.contracts.errors import DriftstreamError
from stream.contracts.moments import MINUS_INFINITY
from stream.contracts.plan_settings import (
    ANY_VERSION,
    PLAN_FORMAT,
    PlanSettings,
    SignalOptions,
)

__all__ = ["ANY_VERSION", "BasePlan", "PlanError"]

#: A time before every event.
_SETTINGS: Final = settings_of(PlanSettings)
_DEFAULT_OPTIONS: Final = SignalOptions()


class PlanError(DriftstreamError, ValueError):
    """A plan that cannot be used, saying which field, what it holds and what it may hold."""


class _AbstractStruct(msgspec.StructMeta, ABCMeta):
    """Of structs with methods that each kind has to bring."""


class BasePlan(PlanSettings, frozen=True, kw_only=True, dict=True, metaclass=_AbstractStruct):
    """Settings of one model's stream, checked and hashed. Times are milliseconds.

    Raises
    ------
    PlanError
        If a setting is out of its range.
    """

    def __post_init__(self) -> None:
        self._check_bounds(self)
        for signal, options in self.signals.items():
            self._check_bounds(options, f"signals.{signal}.")
        for at, limit in enumerate(self.limits):
            self._check_bounds(limit, f"limits[{at}].")
        for name, minimum in (
            ("window_max_age_ms", self.pane_ms),
            ("retire_after_ms", self.pane_ms + self.no_data_after_ms),
        ):
            if (got := getattr(self, name)) < minimum:
                raise PlanError(f"plan {self.model}: {name} must be >= {minimum}; got {got}.")
        if self.cycle_ms % self.pane_ms:
            raise PlanError(
                f"plan {self.model}: cycle must be a whole number of panes; got cycle "
                f"{self.cycle_ms} ms and pane {self.pane_ms} ms. Choose a pane that divides it."
            )
        try:
            check_segments(self.segments)
        except ValueError as error:
            raise PlanError(f"plan {self.model}: {error}") from None
        for name in ("fairness_difference", "fairness_ratio"):
            if not getattr(self, name) < 1.0:
                raise PlanError(
                    f"plan {self.model}: {name} must be < 1, a share; got {getattr(self, name)}."
                )
        for segment in self.protected:
            if segment not in self.segments:
                raise PlanError(
                    f"plan {self.model}: protected must be among segments, "
                    f"{[written(each) for each in self.segments]}; "
                    f"got {written(segment)!r}. Add it to them, or take it out: "
                    "protected = [] compares none."
                )

    def _check_bounds(self, group: msgspec.Struct, where: str = "") -> None:
        """Hold a group of settings to the bounds that it declares."""
        declared = PlanSettings if group is self else type(group)
        for setting in settings_of(declared):
            value = getattr(group, setting.field)
            if value is not None and (fault := setting.fault(value)):
                raise PlanError(f"plan {self.model}: {where}{setting.field} {fault}")

    @property
    @abstractmethod
    def baseline(self) -> tuple[str, Any]:
        """What the stream is compared to: a member of the plan's document and its value."""

    @property
    def baseline_id(self) -> object:
        """What stands for the baseline in the plan's hash."""
        return self.baseline[1]

    @cached_property
    def segment_columns(self) -> tuple[str, ...]:
        """What events name of segments: those of a combination once, wherever they are in it."""
        return columns_of_segments(self.segments)

    def options(self, name: str) -> SignalOptions:
        """The options of a signal, or the defaults."""
        return self.signals.get(name, _DEFAULT_OPTIONS)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """All but the baseline, as plain values in a fixed order."""
        plain = {name: getattr(self, name) for name in sorted(PlanSettings.__struct_fields__)}
        plain["false_alarms_per_week"] = float(self.false_alarms_per_week)
        plain["segments"] = list(self.segments)
        plain["protected"] = tuple(dict.fromkeys(self.protected))
        plain["signals"] = {
            name: msgspec.to_builtins(self.signals[name]) for name in sorted(self.signals)
        }
        plain["limits"] = tuple(map(msgspec.to_builtins, self.limits))
        for setting in _SETTINGS:
            if setting.extra.get("added") and plain[setting.field] == setting.default:
                del plain[setting.field]
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
        member, value = self.baseline
        return msgspec.json.encode(
            {
                "format": PLAN_FORMAT,
                "effective_from_ms": effective_from_ms,
                "settings": self.settings,
                member: value,
            }
        )
