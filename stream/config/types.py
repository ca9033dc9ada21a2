"""What a config file says, table by table, and the plans that follow from it.

Of a table that is declared as settings each key has its kind, default, bounds and meaning here;
those of `[[models]]` are in the contract of plans (`PlanSettings`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from stream.alerts.silences import Silence
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
    from stream.plans.plan import AnyPlan
    from stream.plans.privacy import CategoryHash

__all__ = [
    "Config",
    "Connection",
    "IngestConfig",
    "ModelConfig",
    "SignalConfig",
    "SignalPrivacy",
    "TopicsConfig",
    "WorkerConfig",
]

_SECRET: Final = ("password", "secret", "token")


class Connection(dict[str, object]):
    """`[kafka]`: librdkafka's names and their values. Shows no password."""

    def __repr__(self) -> str:
        shown = {
            key: "***" if isinstance(value, EnvText) or any(s in key for s in _SECRET) else value
            for key, value in self.items()
        }
        return f"Connection({shown})"


class WorkerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[worker]`; times in milliseconds, addresses "" for nowhere."""

    metrics_address: Annotated[
        str,
        Meta(
            extra={"address": True},
            description="Where `/`, `/metrics`, `/healthz` and `/readyz` are served, "
            '`host:port`; `""` for nowhere.',
        ),
    ] = "127.0.0.1:9464"
    metrics_tls_cert: Annotated[
        str,
        Meta(
            extra={"path": True},
            description="Certificate to serve them with TLS; needs `metrics_tls_key`.",
        ),
    ] = ""
    metrics_tls_key: Annotated[
        str,
        Meta(
            extra={"path": True},
            description="Its key.",
        ),
    ] = ""
    dead_letter_values: Annotated[
        bool,
        Meta(
            description="Whether refused records go to the dead-letter topic with their "
            "bytes, or only with reason and place.",
        ),
    ] = True
    group: Annotated[
        str,
        Meta(
            min_length=1,
            description="Consumer group; after `topics.prefix`, if there is one and no "
            "group is given. Workers of one group share the work.",
        ),
    ] = "driftstream"
    environment: Annotated[
        str,
        Meta(
            min_length=1,
            description="Named in the alerts' `source`.",
        ),
    ] = "dev"
    data_dir: Annotated[
        str,
        Meta(
            extra={"path": True},
            description="Scratch space; default is a temporary folder. Nothing there "
            "outlives a worker.",
        ),
    ] = ""
    idle_after_ms: Annotated[
        int,
        Meta(
            ge=100,
            description="A partition that is caught up and silent for so long no longer "
            "holds the others back.",
        ),
    ] = 30_000
    snapshot_interval_ms: Annotated[
        int,
        Meta(
            ge=100,
            description="How often state is written.",
        ),
    ] = 10_000
    session_timeout_ms: Annotated[
        int,
        Meta(
            ge=1_000,
            description="After so long without a heartbeat a worker's partitions go to others.",
        ),
    ] = 6_000
    idle_timeout_ms: Annotated[
        int,
        Meta(
            ge=1_000,
            description="Subjects (a model's version, or a value of a segment) to which "
            "nothing happens for so long, or up to twice that, are evicted to "
            "a third of the memory; their next event brings them back as they "
            "were. Those with an open episode stay, so that its evidence can be "
            "looked at.",
        ),
    ] = 600_000
    max_ahead_ms: Annotated[
        int,
        Meta(
            ge=0,
            description="An event so much later than its own record is refused.",
        ),
    ] = 60_000
    max_ready_lag: Annotated[
        int,
        Meta(
            ge=1,
            description="Records behind from which `/readyz` says no.",
        ),
    ] = 1_000_000
    max_series: Annotated[
        int,
        Meta(
            ge=100,
            description="Series of signals on the metrics page; the rest is folded into "
            "`__other__`.",
        ),
    ] = 10_000
    dashboard_url: Annotated[
        str,
        Meta(
            description="Put into alerts.",
        ),
    ] = ""
    runbook_base_url: Annotated[
        str,
        Meta(
            description="Address of the runbooks, put into alerts; `{kind}` in it stands "
            "for the kind. Without it the worker's page links to its own, and "
            "notifications name `driftstream runbook KIND`.",
        ),
    ] = ""


class TopicsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[topics]`: names of driftstream's own topics, and partitions where they are created."""

    prefix: Annotated[
        str,
        Meta(
            description="Before the names of driftstream's own topics, and of the consumer "
            "group, that are not given: so that several installations share a "
            "Kafka.",
        ),
    ] = ""
    summaries: Annotated[
        str,
        Meta(
            min_length=1,
            description="Counts between the stages.",
        ),
    ] = "driftstream.summaries"
    plans: Annotated[
        str,
        Meta(
            min_length=1,
            description="Plans with their references.",
        ),
    ] = "driftstream.plans"
    alerts: Annotated[
        str,
        Meta(
            min_length=1,
            description="Alert events and acknowledgements.",
        ),
    ] = "driftstream.alerts"
    dead_letter: Annotated[
        str,
        Meta(
            min_length=1,
            description="Refused records.",
        ),
    ] = "driftstream.dead-letter"
    state: Annotated[
        str,
        Meta(
            min_length=1,
            description="Snapshots of stage 2.",
        ),
    ] = "driftstream.state"
    partitions: Annotated[
        int,
        Meta(
            ge=1,
            description="Of the summaries and state topics, where they are created. Bounds "
            "the workers of stage 2.",
        ),
    ] = 4
    prediction_partitions: Annotated[
        int,
        Meta(
            ge=1,
            description="Of the models' topics, where they are created.",
        ),
    ] = 4
    replication: Annotated[
        int,
        Meta(
            ge=-1,
            description="Copies of topics that are created; -1 for the broker's default. "
            "With 3 or more they get `min.insync.replicas = 2`.",
        ),
    ] = -1


class SignalPrivacy(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a signal's values before anything is counted."""

    privacy: Annotated[
        Literal["", "drop", "hash"],
        Meta(
            description="`drop` its values, or `hash` its categories with `[privacy]`, "
            "before anything is counted.",
        ),
    ] = ""


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


class IngestConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[ingest]`; without `tokens_file` everybody may send."""

    address: Annotated[
        str,
        Meta(
            extra={"address": True},
            description="Where `driftstream ingest` listens, `host:port`.",
        ),
    ] = "127.0.0.1:9466"
    tokens_file: Annotated[
        str,
        Meta(
            extra={"path": True},
            description="Who may send: a token of at least 16 characters a line. Without "
            "it: everybody.",
        ),
    ] = ""
    max_body_bytes: Annotated[
        int,
        Meta(
            ge=1_024,
            description="A larger request is answered with 413.",
        ),
    ] = 1_048_576
    max_queued_bytes: Annotated[
        int,
        Meta(
            ge=1_048_576,
            description="Of all requests that wait for the broker; beyond it 429.",
        ),
    ] = 64 * 1_048_576


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
        settings = {name: _plain(value) for name, value in model.settings.items()}
        cycle_ms = settings.get("cycle_ms", 0)
        if reference is not None:
            settings.setdefault("segments", reference.segments)
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

    def plans(self) -> list[AnyPlan]:
        """Make the plans of all models, in the file's order."""
        return [self.plan(model) for model in self.models]


def _plain(value: Any) -> Any:
    """A text of the environment is of a type of its own, which is not encoded."""
    if isinstance(value, tuple):
        return tuple(map(str, value))
    return str(value) if isinstance(value, str) else value
