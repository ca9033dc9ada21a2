"""A whole config file, and the plans that follow from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stream.alerts.silences import Silence
from stream.config.tables import IngestConfig, TopicsConfig, WorkerConfig
from stream.config.toml_table import ConfigError, EnvText
from stream.contracts.plan_settings import (
    ANY_VERSION,
    DeclaredSignal,
    Learn,
    SignalOptions,
)
from stream.notify.targets import Target
from stream.text.durations import WEEK_MS

if TYPE_CHECKING:
    from detectors import Reference
    from stream.decode.formats.contract import SourceOptions
    from stream.kafka.topics import WantedTopic
    from stream.plans.plan import AnyPlan
    from stream.plans.privacy import CategoryHash

__all__ = ["Config", "Connection", "ModelConfig", "SignalConfig", "plain"]

_SECRET: Final = ("password", "secret", "token")


class Connection(dict[str, object]):
    """`[kafka]`: librdkafka's names and their values. Shows no password."""

    def __repr__(self) -> str:
        shown = {
            key: "***" if isinstance(value, EnvText) or any(s in key for s in _SECRET) else value
            for key, value in self.items()
        }
        return f"Connection({shown})"


@dataclass(frozen=True)
class SignalConfig:
    """`[models.signals.NAME]`. What is `declared` is for models without a reference."""

    options: SignalOptions
    declared: DeclaredSignal
    privacy: str


@dataclass(frozen=True)
class ModelConfig:
    """One `[[models]]`.

    Attributes
    ----------
    settings : mapping
        What it says of `PlanSettings`, by field; the rest is as the reference says, or by default.
    warm_up : int
        Events that a reference is learned from, where there is none: of `signals`, or of all if
        there are none.
    path : str
        Of the table, for messages.
    """

    name: str
    reference: Path | None
    settings: Mapping[str, Any]
    warm_up: int
    signals: Mapping[str, SignalConfig]
    path: str

    @property
    def version(self) -> str:
        """What its plan is for."""
        return str(self.settings.get("version", ANY_VERSION))

    @property
    def topic(self) -> str:
        """Where its events are."""
        return str(self.settings["topic"])

    @property
    def labels(self) -> str:
        """Where labels are that workers join; empty if they join none."""
        return str(self.settings.get("outcome_labels", ""))


@dataclass(frozen=True)
class Config:
    """A whole config file. `file` is its name for messages."""

    file: str
    kafka: Connection
    worker: WorkerConfig
    topics: TopicsConfig
    models: tuple[ModelConfig, ...]
    notify: tuple[Target, ...] = ()
    ingest: IngestConfig = field(default_factory=IngestConfig)
    silences: tuple[Silence, ...] = ()
    hashing: CategoryHash | None = None
    sources: Mapping[str, SourceOptions] = field(default_factory=dict)

    def model(self, name: str) -> ModelConfig:
        """Return the model of this name.

        Raises
        ------
        ConfigError
            If there is none; the message names those there are.
        """
        for model in self.models:
            if model.name == name:
                return model
        known = ", ".join(model.name for model in self.models)
        raise ConfigError(f"{self.file}: there is no model {name!r}. It has: {known}.")

    def model_for(self, name: str, version: str | None) -> ModelConfig:
        """Return the model of this name whose plan a version's events are counted under.

        Raises
        ------
        ConfigError
            If there is none: they would all be refused.
        """
        first = self.model(name)
        if version is None:
            return first
        by_version = {model.version: model for model in self.models if model.name == name}
        found = by_version.get(version) or by_version.get("*")
        if found is None:
            raise ConfigError(
                f"{self.file}: no plan is for version {version!r} of {name}, so its events would "
                f"all be refused. The config has {', '.join(map(repr, by_version))}. Add "
                f'[[models]] with that version, or with version = "*" for every other.'
            )
        return found

    def plan(self, model: ModelConfig) -> AnyPlan:
        """Make a model's plan, with its reference or with how to learn one.

        Raises
        ------
        ConfigError
            If the reference cannot be used or does not fit what the config says.
        """
        from stream.plans.plan import LearningPlan, Plan, PlanError, readable

        reference = None if model.reference is None else self._reference(model, model.reference)
        settings = self._settings(model, reference)
        try:
            if reference is None:
                return LearningPlan(learn=self._learn(model), **settings)
            return readable(Plan(reference=reference, **settings))
        except PlanError as error:
            raise ConfigError(f"{self.file}: {model.path}: {error}") from error

    def _reference(self, model: ModelConfig, path: Path) -> Reference:
        from detectors import InvalidReferenceError, Reference

        try:
            reference = Reference.from_json(path.read_bytes(), str(path))
        except OSError as error:
            raise ConfigError(
                f"{self.file}: {model.path}.reference cannot be read: "
                f"{os.strerror(error.errno or 0)}: {path}. Correct the path, or make "
                f"it: driftstream fit DATA --model {model.name} -o {path}"
            ) from error
        except InvalidReferenceError as error:
            raise ConfigError(f"{self.file}: {model.path}.reference: {error}") from error
        return self._private(model, reference)

    def _settings(self, model: ModelConfig, reference: Reference | None) -> dict[str, Any]:
        """What plans with and without a reference have in common."""
        settings = {name: plain(value) for name, value in model.settings.items()}
        cycle_ms = settings.get("cycle_ms", 0)
        if reference is not None:
            settings.setdefault("segments", reference.segments)
            settings.setdefault("protected", reference.protected)
            if "cycle_ms" not in settings:
                cycle_ms = reference.cycle_ms
            elif reference.calendar is not None and not WEEK_MS % cycle_ms:
                cycle_ms = 0  # its slots are of that season
        return (
            settings
            | self._sizes(settings, reference, cycle_ms)
            | {
                "model": model.name,
                "cycle_ms": cycle_ms,
                "signals": {n: s.options for n, s in model.signals.items() if s.privacy != "drop"},
                "environment": str(self.worker.environment),
                "dashboard_url": str(self.worker.dashboard_url),
                "runbook_url": str(self.worker.runbook_base_url),
            }
        )

    def _sizes(
        self, settings: Mapping[str, Any], reference: Reference | None, cycle_ms: int
    ) -> dict[str, int]:
        """Pane and largest age of a window: what the config leaves out follows the reference."""
        from stream.plans.proposal import DEFAULT_MAX_AGE_MS, DEFAULT_PANE_MS, propose

        given_ms = settings.get("window_max_age_ms")
        if reference is None:
            pane_ms, max_age_ms = DEFAULT_PANE_MS, DEFAULT_MAX_AGE_MS
        else:
            events = settings["window_events"]
            pane_ms, max_age_ms = propose(
                reference, cycle_ms=cycle_ms, window_events=events, max_age_ms=given_ms
            )
        pane_ms = settings.get("pane_ms", pane_ms)
        return {
            "pane_ms": pane_ms,
            "window_max_age_ms": max(pane_ms, max_age_ms) if given_ms is None else given_ms,
        }

    def _learn(self, model: ModelConfig) -> Learn:
        for name, signal in model.signals.items():
            if signal.privacy == "hash":
                raise ConfigError(
                    f"{self.file}: {model.path}.signals.{name}.privacy needs a reference: what is "
                    "learned travels as names. Fit a reference, or drop the signal."
                )
        signals = {name: s.declared for name, s in model.signals.items() if s.privacy != "drop"}
        if model.signals and not signals:  # no names at all would mean: learn whatever comes
            raise ConfigError(
                f"{self.file}: {model.path}.signals only drops. Without a reference, name the "
                "signals that are to be learned; the others are left alone."
            )
        return Learn(model.warm_up, signals)

    def _private(self, model: ModelConfig, reference: Reference) -> Reference:
        from stream.plans.privacy import apply_privacy

        rules = {name: s.privacy for name, s in model.signals.items() if s.privacy}
        drop, hashed = ({n for n, rule in rules.items() if rule == r} for r in ("drop", "hash"))
        if not rules:
            return reference
        try:
            return apply_privacy(reference, drop, hashed, self.hashing)
        except ValueError as error:
            raise ConfigError(f"{self.file}: {model.path}.signals: {error}") from None

    def wanted_topics(self) -> list[WantedTopic]:
        """Every topic that the config needs, with its policy."""
        from stream.kafka.topics import wanted_topics

        topics = self.topics
        joining = [model for model in self.models if model.labels]
        return wanted_topics(
            topics.names,
            predictions=[model.topic for model in self.models],
            labels=[model.labels for model in joining],
            longest_wait_ms=max((int(m.settings["outcome_wait_ms"]) for m in joining), default=0),
            partitions=topics.partitions,
            prediction_partitions=topics.prediction_partitions,
            replication=topics.replication,
        )

    def plans(self) -> list[AnyPlan]:
        """Make the plans of all models, in the file's order."""
        return [self.plan(model) for model in self.models]


def plain(value: Any) -> Any:
    """A text of the environment is of a type of its own, which is not encoded."""
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    return str(value) if isinstance(value, str) else value
