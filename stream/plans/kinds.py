"""The kinds of plans: against a reference, or against one that is to be learned.

A plan is the settings that decide anything (segments, pane, lateness, windows, budget) and a
baseline: a reference, or how to learn one. It is immutable and hashed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from detectors import (
    WINDOWED_TESTS,
    CategoricalBinning,
    InvalidReferenceError,
    Layout,
    OutcomeReference,
    Reference,
    SignalReference,
    choose_tests,
    expected_signal,
)
from detectors.change_points.recounted import reference_of_part
from detectors.outcomes.fairness import Limits
from detectors.outcomes.fairness_of_model import ModelFairness
from detectors.references.parts import Part
from stream.contracts.declared import settings_of
from stream.contracts.plan_settings import (
    PLAN_FORMAT,
    DeclaredSignal,
    Learn,
    PlanDocument,
    PlanSettings,
    SignalOptions,
)
from stream.contracts.roles import place_of
from stream.plans.base import ANY_VERSION, BasePlan, PlanError
from stream.plans.limits import LimitRule, limit_rules
from stream.plans.protected import protected_columns
from stream.plans.slots import check_slots
from stream.sketches.merge import MergeRule, SketchMerge, VectorMerge
from stream.sketches.sketch import MAX_PLACE_BYTES, MAX_SIGNALS

__all__ = [
    "ANY_VERSION",
    "AnyPlan",
    "DeclaredSignal",
    "Learn",
    "LearningPlan",
    "Plan",
    "PlanError",
    "SignalOptions",
    "Subject",
    "decode_plan",
    "readable",
]

#: Settings that every stored plan has.
_NEEDED: Final = {s.field for s in settings_of(PlanSettings) if not s.extra.get("added")}


class Subject(NamedTuple):
    """(model, version): owned by one monitor, one key of the summaries topic, one budget."""

    model: str
    version: str

    @property
    def key(self) -> bytes:
        """The Kafka key of everything about this subject."""
        return f"{self.model}/{self.version}".encode()

    def __str__(self) -> str:
        return f"{self.model}/{self.version}" if self.version else self.model


class Plan(BasePlan, frozen=True, kw_only=True, dict=True):
    """Everything a worker needs to watch one model against a reference.

    Raises
    ------
    PlanError
        If a value is out of its range or a named signal is not in the reference.
    """

    reference: Reference

    def __post_init__(self) -> None:
        super().__post_init__()
        known = {s.name for s in self.reference.signals}
        if unknown := sorted(set(self.signals) - known):
            raise PlanError(
                f"plan {self.model}: signals.{unknown[0]} is not in the reference, which has "
                f"{', '.join(sorted(known)[:20])}. Correct the name or fit the reference again."
            )
        if not self.monitored:
            raise PlanError(f"plan {self.model}: every signal has monitor = false; nothing to do.")
        check_slots(self, self.reference.calendar, {s.name: s for s in self.monitored})
        kinds = {s.name: s.kind for s in self.monitored}
        for name, tests in self.windowed_tests.items():
            try:
                choose_tests(name, kinds[name], tests)
            except ValueError as error:
                raise PlanError(f"plan {self.model}: {error}") from None
        if self.outcome_labels and all(s.role != "actual" for s in self.decoded):
            raise PlanError(
                f"plan {self.model}: outcome.labels are truths, and none is monitored: the "
                "reference has none, or it has monitor = false. Fit it on rows with their truth "
                "(--actual COLUMN), or leave labels out."
            )
        try:
            _ = self.limit_rules, self.fairness, self.absent_class
        except ValueError as error:
            raise PlanError(f"plan {self.model}: {error}") from None

    @property
    def baseline(self) -> tuple[str, Any]:
        """The reference's own JSON."""
        return "reference", msgspec.Raw(self.reference.to_json())

    @property
    def baseline_id(self) -> object:
        """The reference's hash."""
        return self.reference.hash

    @cached_property
    def monitored(self) -> tuple[SignalReference, ...]:
        """The signals that are counted and tested, in the reference's order.

        The error of predictions is among them only where all that it is derived from is.
        """
        named = [s for s in self.reference.signals if self.options(s.name).monitor]
        known = self.reference.outcome
        if known is not None and not known.signals <= {s.name for s in named}:
            named = [s for s in named if s.name != known.error]
        return tuple(named)

    @cached_property
    def outcome(self) -> OutcomeReference | None:
        """What is known of outcomes, if all signals that they are counted from are monitored."""
        known = self.reference.outcome
        names = {signal.name for signal in self.monitored}
        return known if known is not None and known.signals <= names else None

    @property
    def decoded(self) -> tuple[SignalReference, ...]:
        """The monitored signals that events have; behind them are those that are derived."""
        return tuple(s for s in self.monitored if not s.is_derived)

    @property
    def windowed_tests(self) -> dict[str, tuple[str, ...]]:
        """The windowed tests of the monitored signals that do not have the default ones."""
        return {
            s.name: tuple(t for t in tests if t in WINDOWED_TESTS)
            for s in self.monitored
            if (tests := self.options(s.name).tests)
        }

    @cached_property
    def layout(self) -> Layout:
        """Where each monitored signal's bins are in the flat vector of counts."""
        cells = 0 if self.outcome is None else self.outcome.cells.width
        return Layout({s.name: s.binning for s in self.monitored}, cells)

    @cached_property
    def limit_rules(self) -> tuple[LimitRule, ...]:
        """Its limits, and what is counted for each."""
        return limit_rules(
            self.limits, self.monitored, self.layout, self.outcome, private=self.private
        )

    @cached_property
    def fairness(self) -> tuple[ModelFairness, ...]:
        """What is compared by each of its protected columns."""
        limits = Limits(self.fairness_difference, self.fairness_ratio)
        return protected_columns(
            self.protected, self.reference.outcome, self.outcome, self.monitored, limits
        )

    @cached_property
    def absent_class(self) -> int | None:
        """The bin of the actual that no label means; None if it means nothing."""
        name, known = self.outcome_absent_means, self.outcome
        if not name:
            return None
        classes = () if known is None else known.cells.classes
        if known is None or name not in classes:
            there = f"they are {', '.join(classes)}" if classes else "the reference has none"
            raise ValueError(
                f"outcome.absent_means must be a class of the outcomes, and {there}; got {name!r}. "
                "Correct it, or leave it out."
            )
        signal = next(s for s in self.monitored if s.name == known.cells.actual)
        assert isinstance(signal.binning, CategoricalBinning)
        return signal.binning.bins_of_names[name]

    @cached_property
    def join_key(self) -> bytes:
        """What stands for the join of its labels; empty if workers join none.

        A plan that replaces another goes on with what waits for labels if it has the same key.
        """
        if not self.outcome_labels:
            return b""
        same = (
            self.model,
            self.topic,
            self.outcome_labels,
            self.outcome_wait_ms,
            self.outcome_absent_means,
            self.reference.hash,
            [signal.name for signal in self.decoded],
            list(self.segments),
            self.pane_ms,
            self.lateness_ms,
        )
        return hashlib.blake2b(msgspec.json.encode(same), digest_size=8).digest()

    @cached_property
    def merge_rule(self) -> MergeRule[Any]:
        """How counts of panes are merged."""
        sums = 0 if self.outcome is None else self.outcome.cells.sums
        return VectorMerge(self.layout.width, sums)

    @property
    def reference_counts(self) -> npt.NDArray[np.int64]:
        """Flat counts of the reference's rows."""
        rows = np.array([self.reference.events], np.int64)
        cells = () if self.outcome is None else (self.outcome.counts,)
        return np.concatenate([rows, *(s.counts for s in self.monitored), *cells])

    def expected(self, index: int, counts: npt.NDArray[Any]) -> SignalReference:
        """What monitored signal `index` is compared with, for the flat counts of a stretch of time.

        With slots, what the hours and days make of them that its calendar tells behind the counts.
        """
        signal, calendar = self.monitored[index], self.reference.calendar
        if calendar is None:
            return signal
        slot_counts = counts[self.layout.width :].astype(np.int64)
        return (
            expected_signal(signal, calendar.mixture(slot_counts)) if slot_counts.any() else signal
        )

    @cached_property
    def parts(self) -> Mapping[str, Part]:
        """Parts of its segments that the reference has counts of, by name."""
        return {
            part.scope: part
            for each in self.reference.parts
            if each.segment in self.segments
            for part in each.parts
        }

    def of_part(self, scope: str) -> Plan | None:
        """What a part of the stream is compared with; None where that is the whole's reference."""
        part = self.parts.get(scope)
        if part is None:
            return None
        reference = reference_of_part(self.reference, part)
        return msgspec.structs.replace(self, reference=reference, protected=(), calibrate_ms=0)

    def with_reference(self, reference: Reference) -> Plan:
        """The same plan with another reference of the same signals, calibrated."""
        return msgspec.structs.replace(self, reference=reference, calibrate_ms=0)

    def importance(self, name: str) -> float:
        """Share of a signal in the ranking: as the config gives it, else equal shares."""
        importance = self.options(name).importance
        return 1.0 / len(self.monitored) if importance is None else importance


class LearningPlan(BasePlan, frozen=True, kw_only=True, dict=True):
    """Everything a worker needs to learn a model's reference from its stream, and then watch it.

    Raises
    ------
    PlanError
        If a value is out of its range, or signals are too many or have one place in events.
    """

    learn: Learn

    def __post_init__(self) -> None:
        super().__post_init__()
        declared = self.learn.signals
        if len(declared) > MAX_SIGNALS:
            raise PlanError(
                f"plan {self.model}: signals must be at most {MAX_SIGNALS} to be learned; got "
                f"{len(declared)}. Fit a reference for so many."
            )
        self._check_bounds(self.learn)
        if self.limits:
            raise PlanError(
                f"plan {self.model}: limits are of what a reference says is counted. Fit one, or "
                "leave the limits out."
            )
        if self.outcome_labels:
            raise PlanError(
                f"plan {self.model}: outcome.labels needs a reference with truths, and one that is "
                "learned has none. Fit one (fit --actual), or leave labels out."
            )
        if self.protected:
            raise PlanError(
                f"plan {self.model}: protected needs outcomes by value, and a reference that is "
                "learned has none. Fit one (fit --protected), or leave it out."
            )
        if unknown := sorted(set(self.signals) - set(declared)):
            raise PlanError(f"plan {self.model}: signals.{unknown[0]} is not declared. Declare it.")
        check_slots(self, None, dict.fromkeys(self.signals))
        places: dict[str, str] = {}
        for name, signal in declared.items():
            place = place_of(name, signal.role)
            if len(place.encode(errors="surrogatepass")) > MAX_PLACE_BYTES:
                raise PlanError(f"plan {self.model}: signals.{name[:20]}... has too long a name.")
            if (other := places.setdefault(place, name)) != name:
                raise PlanError(
                    f"plan {self.model}: signals.{name} and signals.{other} both are {place} of "
                    "an event. Give one another role, or remove it."
                )

    @property
    def baseline(self) -> tuple[str, Any]:
        """How the reference is learned."""
        return "learn", self.learn

    @property
    def join_key(self) -> bytes:
        """Empty: no labels are joined."""
        return b""

    @property
    def merge_rule(self) -> MergeRule[Any]:
        """How counts of panes are merged."""
        return SketchMerge()

    def with_reference(self, reference: Reference) -> Plan:
        """The plan to monitor under, with this reference."""
        own = {f: getattr(self, f) for f in PlanSettings.__struct_fields__}
        names = {signal.name for signal in reference.signals}
        own["signals"] = {name: options for name, options in self.signals.items() if name in names}
        return Plan(reference=reference, **own | {"calibrate_ms": 0})


AnyPlan: TypeAlias = Plan | LearningPlan


def readable(plan: Plan) -> Plan:
    """The plan, if events can be decoded by the names in it.

    Raises
    ------
    PlanError
        If a signal or segment has a name that the decoder cannot have as a member.
    """
    for name in (*(signal.name for signal in plan.monitored), *plan.segment_columns):
        if any(character in '"\\' or character < " " for character in name):
            raise PlanError(
                f"plan {plan.model}: {name!r} has a quotation mark, a backslash or a control "
                "character in it, and such members of events cannot be read. Rename it in the "
                "events and fit again, or leave it out: fit --ignore, or monitor = false for it."
            )
    return plan


class _Named(msgspec.Struct):
    """Which settings a stored plan names: nothing that decides is filled in."""

    settings: dict[str, msgspec.Raw]


def decode_plan(value: bytes, source: str = "plan") -> tuple[AnyPlan, int]:
    """Inverse of a plan's `encode`: the plan and its `effective_from_ms`.

    Raises
    ------
    PlanError
        If the bytes are not a plan of this version, naming `source`.
    """
    try:
        document = msgspec.json.decode(value, type=PlanDocument)
        if document.format != PLAN_FORMAT:
            raise PlanError(f"format must be {PLAN_FORMAT}; got {document.format!r}")
        if missing := sorted(_NEEDED - msgspec.json.decode(value, type=_Named).settings.keys()):
            raise PlanError(f"settings.{missing[0]} is missing")
        settings = {f: getattr(document.settings, f) for f in PlanSettings.__struct_fields__}
        if isinstance(document.learn, Learn):
            return LearningPlan(learn=document.learn, **settings), document.effective_from_ms
        if isinstance(document.reference, msgspec.UnsetType):
            raise PlanError("it has neither a reference nor says how to learn one")
        reference = Reference.from_json(bytes(document.reference), source)
        return readable(Plan(reference=reference, **settings)), document.effective_from_ms
    except (
        msgspec.MsgspecError,
        InvalidReferenceError,
        PlanError,
        UnicodeDecodeError,
        RecursionError,
    ) as error:
        raise PlanError(f"{source} is not a plan this version can read: {error!s:.600}") from error
