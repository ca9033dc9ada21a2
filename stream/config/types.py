"""What a config file says, as frozen dataclasses, and the plans that follow from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stream.alerts.silences import Silence
from stream.config.toml_table import ConfigError, EnvText
from stream.notify.targets import Target

if TYPE_CHECKING:
    from detectors import Reference
    from stream.decode.formats.contract import SourceOptions
    from stream.plans.plan import AnyPlan, Learn
    from stream.plans.privacy import CategoryHash

__all__ = [
    "Config",
    "Connection",
    "ModelConfig",
    "SignalConfig",
    "TopicsConfig",
    "WindowConfig",
    "WorkerConfig",
]

_WEEK_MS: Final = 604_800_000
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
class WorkerConfig:
    """`[worker]`; times in milliseconds, `metrics_address` "" for no metrics."""

    metrics_address: str = "127.0.0.1:9464"
    metrics_tls_cert: str = ""
    metrics_tls_key: str = ""
    dead_letter_values: bool = True
    group: str = "driftstream"
    environment: str = "dev"
    data_dir: str = ""
    idle_after_ms: int = 30_000
    snapshot_interval_ms: int = 10_000
    session_timeout_ms: int = 6_000
    idle_timeout_ms: int = 600_000
    max_ahead_ms: int = 60_000
    max_ready_lag: int = 1_000_000
    max_series: int = 10_000
    dashboard_url: str = ""
    runbook_base_url: str = ""


@dataclass(frozen=True)
class TopicsConfig:
    """`[topics]`: names of driftstream's own topics, and partitions where they are created.

    `prefix` stands before each name, and the group's, that the config does not give.
    """

    prefix: str = ""
    summaries: str = "driftstream.summaries"
    plans: str = "driftstream.plans"
    alerts: str = "driftstream.alerts"
    dead_letter: str = "driftstream.dead-letter"
    state: str = "driftstream.state"
    partitions: int = 4
    prediction_partitions: int = 4
    replication: int = -1


@dataclass(frozen=True)
class WindowConfig:
    """`window` of a model: how much is tested together; `max_age_ms` None: by the reference."""

    events: int = 1_000
    max_age_ms: int | None = None
    min_events: int = 300


@dataclass(frozen=True)
class SignalConfig:
    """`[models.signals.NAME]`. `kind` and `role` are for models without a reference."""

    importance: float | None = None
    tests: tuple[str, ...] = ()
    monitor: bool = True
    public: bool = False
    privacy: str = ""
    kind: str = "auto"
    role: str = "feature"


@dataclass(frozen=True)
class ModelConfig:
    """One `[[models]]`. `segments`, `pane_ms` and `cycle_ms` None: as the reference says.

    Without a reference one is learned from `warm_up` events: of `signals`, or of all if there are
    none.
    """

    name: str
    reference: Path | None
    warm_up: int = 10_000
    version: str = "*"
    topic: str = "predictions"
    format: str = "native"
    segments: tuple[str, ...] | None = None
    false_alarms_per_week: float = 1.0
    pane_ms: int | None = None
    lateness_ms: int = 5_000
    cycle_ms: int | None = None
    calibrate_ms: int = 0
    no_data_after_ms: int = 0
    stale_after_ms: int = 0
    retire_after_ms: int = 5_184_000_000
    window: WindowConfig = field(default_factory=WindowConfig)
    private: bool = False
    signals: Mapping[str, SignalConfig] = field(default_factory=dict)
    path: str = "models[0]"


@dataclass(frozen=True)
class IngestConfig:
    """`[ingest]`; without `tokens_file` everybody may send."""

    address: str = "127.0.0.1:9466"
    tokens_file: str = ""
    max_body_bytes: int = 1_048_576
    max_queued_bytes: int = 64 * 1_048_576


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
        held = {model.version: model for model in self.models if model.name == name}
        found = held.get(version) or held.get("*")
        if found is None:
            raise ConfigError(
                f"{self.file}: no plan is for version {version!r} of {name}, so its events would "
                f"all be refused. The config has {', '.join(map(repr, held))}. Add [[models]] with "
                f'that version, or with version = "*" for every other.'
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
        from detectors import Reference, ReferenceError

        try:
            reference = Reference.from_json(path.read_bytes(), str(path))
        except OSError as error:
            raise ConfigError(
                f"{self.file}: {model.path}.reference cannot be read: "
                f"{os.strerror(error.errno or 0)}: {path}. Correct the path, or make "
                f"it: driftstream fit DATA --model {model.name} -o {path}"
            ) from error
        except ReferenceError as error:
            raise ConfigError(f"{self.file}: {model.path}.reference: {error}") from error
        return self._private(model, reference)

    def _settings(self, model: ModelConfig, reference: Reference | None) -> dict[str, Any]:
        """What plans with and without a reference have in common."""
        from stream.plans.plan import SignalOptions

        worker, window = self.worker, model.window
        segments = model.segments
        if segments is None:
            segments = () if reference is None else reference.segments
        cycle_ms = model.cycle_ms
        if cycle_ms is None:
            cycle_ms = 0 if reference is None else reference.cycle_ms
        elif reference is not None and reference.calendar is not None and not _WEEK_MS % cycle_ms:
            cycle_ms = 0  # its slots are of that season
        pane_ms, max_age_ms = self._sizes(model, reference, cycle_ms)
        options = {
            name: SignalOptions(said.monitor, said.importance, said.tests, said.public)
            for name, said in model.signals.items()
            if said.privacy != "drop"
        }
        return {
            # str(): a text of the environment is of a type that is not encoded.
            "model": str(model.name), "version": str(model.version), "topic": str(model.topic),
            "format": str(model.format), "segments": tuple(map(str, segments)),
            "pane_ms": pane_ms, "lateness_ms": model.lateness_ms, "cycle_ms": cycle_ms,
            "window_events": window.events, "window_max_age_ms": max_age_ms,
            "window_min_events": window.min_events, "calibrate_ms": model.calibrate_ms,
            "no_data_after_ms": model.no_data_after_ms,
            "stale_after_ms": model.stale_after_ms, "retire_after_ms": model.retire_after_ms,
            "false_alarms_per_week": model.false_alarms_per_week, "signals": options,
            "private": model.private, "environment": str(worker.environment),
            "dashboard_url": str(worker.dashboard_url),
            "runbook_url": str(worker.runbook_base_url),
        }  # fmt: skip

    def _sizes(
        self, model: ModelConfig, reference: Reference | None, cycle_ms: int
    ) -> tuple[int, int]:
        """Pane and largest age of a window: what the config leaves out follows the reference."""
        from stream.plans.proposal import DEFAULT_MAX_AGE_MS, DEFAULT_PANE_MS, propose

        window = model.window
        if reference is None:
            pane_ms, max_age_ms = DEFAULT_PANE_MS, DEFAULT_MAX_AGE_MS
        else:
            pane_ms, max_age_ms = propose(
                reference, cycle_ms=cycle_ms, window_events=window.events, most_ms=window.max_age_ms
            )
        if model.pane_ms is not None:
            pane_ms = model.pane_ms
        return pane_ms, max(pane_ms, max_age_ms) if window.max_age_ms is None else window.max_age_ms

    def _learn(self, model: ModelConfig) -> Learn:
        from stream.plans.plan import DeclaredSignal, Learn

        for name, said in model.signals.items():
            if said.privacy == "hash":
                raise ConfigError(
                    f"{self.file}: {model.path}.signals.{name}.privacy needs a reference: what is "
                    "learned travels as names. Fit a reference, or drop the signal."
                )
        signals: dict[str, Any] = {
            name: DeclaredSignal(said.kind, said.role)  # type: ignore[arg-type]
            for name, said in model.signals.items()
            if said.privacy != "drop"
        }
        if model.signals and not signals:  # no names at all would mean: learn whatever comes
            raise ConfigError(
                f"{self.file}: {model.path}.signals only drops. Without a reference, name the "
                "signals that are to be learned; the others are left alone."
            )
        return Learn(model.warm_up, signals)

    def _private(self, model: ModelConfig, reference: Reference) -> Reference:
        from stream.plans.privacy import apply_privacy

        rules = {name: said.privacy for name, said in model.signals.items() if said.privacy}
        drop, hashed = ({n for n, rule in rules.items() if rule == r} for r in ("drop", "hash"))
        if not rules:
            return reference
        try:
            return apply_privacy(reference, drop, hashed, self.hashing)
        except ValueError as error:
            raise ConfigError(f"{self.file}: {model.path}.signals: {error}") from None

    def plans(self) -> list[AnyPlan]:
        """Make the plans of all models, in the file's order."""
        return [self.plan(model) for model in self.models]
