"""The config file: TOML in, frozen dataclasses out, every mistake said with its remedy.

Read by the command line only; what it says is passed down as plain values.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from detectors import WINDOWED_TESTS
from detectors.references.reference import ROLES
from stream.config.silences import read_silences
from stream.config.sources import read_sources
from stream.config.targets import read_targets
from stream.config.toml_table import ConfigError, Table, read_secret, substitute
from stream.config.types import (
    Config,
    Connection,
    IngestConfig,
    ModelConfig,
    SignalConfig,
    TopicsConfig,
    WindowConfig,
    WorkerConfig,
)

if TYPE_CHECKING:
    from stream.plans.privacy import CategoryHash

__all__ = [
    "TABLES",
    "Config",
    "ConfigError",
    "Connection",
    "IngestConfig",
    "ModelConfig",
    "SignalConfig",
    "TopicsConfig",
    "WindowConfig",
    "WorkerConfig",
    "load_config",
]

#: Names of tests that a signal's `tests` may list.
TESTS: Final = ("adwin", "edetector", "day", *WINDOWED_TESTS)
#: Tables of a config file.
TABLES: Final = (
    "kafka", "worker", "topics", "models", "sources", "notify", "silences", "privacy", "ingest",
)  # fmt: skip
_MODEL_KEYS: Final = (
    "name", "version", "topic", "format", "reference", "segments", "false_alarms_per_week",
    "pane", "lateness", "cycle", "calibrate", "private", "warm_up", "no_data_after", "stale_after",
    "retire_after",
)  # fmt: skip


def load_config(path: str | Path, env: Mapping[str, str] = os.environ) -> Config:
    """Read a config file. Relative paths in it are against its own folder.

    Raises
    ------
    ConfigError
        On the first mistake: `config.toml: models[0].window.events must be >= 100; got 10. ...`
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {os.strerror(error.errno or 0)}. Give its path with -c."
        ) from error
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, or beyond all reason
        raise ConfigError(f"{path}: not TOML: {error}. Correct that place.") from error
    file = path.name
    top = Table(
        substitute(document, "", file, env),
        "",
        file,
        TABLES,
    )
    models = tuple(
        _model(table, path.parent)
        for table in top.tables("models", [*_MODEL_KEYS, "window", "signals"])
    )
    if not models:
        raise ConfigError(
            f"{file}: there are no models. Add [[models]] with a name and a reference."
        )
    seen: dict[tuple[str, str], str] = {}
    for model in models:
        if (other := seen.setdefault((model.name, model.version), model.path)) != model.path:
            raise ConfigError(
                f"{file}: {model.path} and {other} both are {model.name}, version "
                f"{model.version!r}. Give them different versions, or remove one."
            )
    topics = _topics(top)
    return Config(
        file,
        _kafka(top, path.parent),
        _worker(top, path.parent, topics.prefix),
        topics,
        models,
        notify=read_targets(top, path.parent),
        silences=read_silences(top),
        hashing=_hashing(top, path.parent),
        sources=read_sources(top, [model.topic for model in models]),
        ingest=_ingest(top, path.parent),
    )


def _kafka(top: Table, folder: Path) -> Connection:
    from stream.kafka.security import client_options

    table = top.table("kafka")
    values: dict[str, Any] = {}
    for key, value in table.values.items():
        if isinstance(value, dict | list):
            raise table.error(key, 'must be one value; write a list as "host1:9092,host2:9092".')
        if key.endswith("_file"):
            secret = folder / table.text(key, least=1)
            values[key.removesuffix("_file")] = read_secret(secret, f"kafka.{key}", top.file)
        elif key.replace(".", "_").endswith("_location"):
            values[key] = str(folder / table.text(key, least=1))
        else:
            values[key] = value
    try:
        client_options(values)
    except ValueError as error:
        raise ConfigError(f"{top.file}: {error}") from None
    return Connection(values)


def _hashing(top: Table, folder: Path) -> CategoryHash | None:
    from stream.plans.privacy import CategoryHash, HashKeyError

    table = top.table("privacy", ("hash_key", "hash_key_file"))
    key = table.text("hash_key", "")
    if "hash_key_file" in table.values:
        path = folder / table.text("hash_key_file", least=1)
        key = read_secret(path, "privacy.hash_key_file", top.file)
    try:
        return CategoryHash(str(key)) if key else None
    except HashKeyError as error:
        raise table.error("hash_key", f"cannot be used: {error}") from None


def _worker(top: Table, folder: Path, prefix: str) -> WorkerConfig:
    names = {n.removesuffix("_ms") for n in WorkerConfig.__dataclass_fields__}
    table, default = top.table("worker", sorted(names)), WorkerConfig()
    data_dir = table.text("data_dir", default.data_dir)
    address = _address(table, "metrics_address", default.metrics_address)
    certificate, key = (table.text(f"metrics_tls_{part}", "") for part in ("cert", "key"))
    if bool(certificate) != bool(key):
        raise table.error(
            "metrics_tls_cert", "and metrics_tls_key go together. Give both, or none."
        )
    return WorkerConfig(
        metrics_address=address,
        metrics_tls_cert=str(folder / certificate) if certificate else "",
        metrics_tls_key=str(folder / key) if key else "",
        dead_letter_values=table.flag("dead_letter_values", default.dead_letter_values),
        group=table.text("group", prefix + default.group, least=1),
        environment=table.text("environment", default.environment, least=1),
        data_dir=str(folder / data_dir) if data_dir else "",
        idle_after_ms=table.duration("idle_after", "30s", least_ms=100),
        snapshot_interval_ms=table.duration("snapshot_interval", "10s", least_ms=100),
        session_timeout_ms=table.duration("session_timeout", "6s", least_ms=1_000),
        idle_timeout_ms=table.duration("idle_timeout", "10m", least_ms=1_000),
        max_ahead_ms=table.duration("max_ahead", "60s", least_ms=0),
        max_ready_lag=table.integer("max_ready_lag", default.max_ready_lag, least=1),
        max_series=table.integer("max_series", default.max_series, least=100),
        dashboard_url=table.text("dashboard_url", ""),
        runbook_base_url=table.text("runbook_base_url", ""),
    )


def _ingest(top: Table, folder: Path) -> IngestConfig:
    default = IngestConfig()
    table = top.table("ingest", list(IngestConfig.__dataclass_fields__))
    tokens = table.text("tokens_file", "")
    return IngestConfig(
        address=_address(table, "address", default.address),
        tokens_file=str(folder / tokens) if tokens else "",
        max_body_bytes=table.integer("max_body_bytes", default.max_body_bytes, least=1_024),
        max_queued_bytes=table.integer(
            "max_queued_bytes", default.max_queued_bytes, least=1_048_576
        ),
    )


def _address(table: Table, key: str, default: str) -> str:
    address = table.text(key, default)
    host, _, port = address.rpartition(":")
    if address and not (host and re.fullmatch(r"[0-9]{1,5}", port) and int(port) < 65_536):
        raise table.error(key, f'must be "host:port", or "" for none; got {address!r}.')
    return address


def _topics(top: Table) -> TopicsConfig:
    default = TopicsConfig()
    table = top.table("topics", list(TopicsConfig.__dataclass_fields__))
    prefix = table.text("prefix", default.prefix)
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,200}", prefix):
        raise table.error(
            "prefix", f'may have letters, digits, ".", "_" and "-" as topics do; got {prefix!r}.'
        )
    names = {
        key: table.text(key, prefix + getattr(default, key), least=1)
        for key in ("summaries", "plans", "alerts", "dead_letter", "state")
    }
    if len(set(names.values())) < len(names):
        raise table.error("", f"gives two topics one name: {', '.join(names.values())}.")
    replication = table.integer("replication", default.replication, least=-1)
    return TopicsConfig(
        prefix=prefix,
        **names,
        partitions=table.integer("partitions", default.partitions, least=1),
        prediction_partitions=table.integer(
            "prediction_partitions", default.prediction_partitions, least=1
        ),
        replication=replication or -1,
    )


def _model(table: Table, folder: Path) -> ModelConfig:
    name = table.text("name", least=1)
    reference = folder / table.text("reference", least=1) if "reference" in table.values else None
    window = table.table("window", ("events", "max_age", "min_events"))
    sizes = WindowConfig(
        window.integer("events", 1_000, least=100, advice="Raise it, or set min_events."),
        _given(window, "max_age"),
        window.integer("min_events", 300, least=50),
    )
    false_alarms = table.number("false_alarms_per_week", 1.0, above=0)
    return ModelConfig(
        name=name,
        reference=reference,
        warm_up=_warm_up(table, reference),
        version=table.text("version", "*"),
        topic=table.text("topic", "predictions", least=1),
        format=_format(table),
        segments=table.texts("segments") if "segments" in table.values else None,
        false_alarms_per_week=1.0 if false_alarms is None else false_alarms,
        pane_ms=_given(table, "pane"),
        lateness_ms=table.duration("lateness", "5s", least_ms=0),
        cycle_ms=_given(table, "cycle"),
        calibrate_ms=_given(table, "calibrate") or 0,
        no_data_after_ms=_given(table, "no_data_after") or 0,
        stale_after_ms=_given(table, "stale_after") or 0,
        retire_after_ms=table.duration("retire_after", "60d", least_ms=1),
        window=sizes,
        private=table.flag("private", False),
        signals=_signals(table, name, reference),
        path=table.path,
    )


def _format(table: Table) -> str:
    """Of a plan, which is native: the formats of topics are in `[[sources]]`."""
    if (found := table.text("format", "native")) != "native":
        raise table.error("format", f"must be native; got {found!r}. The format of a topic is that "
                          "of [[sources]].")  # fmt: skip
    return found


def _given(table: Table, key: str) -> int | None:
    return table.duration(key, "", least_ms=1) if key in table.values else None


def _warm_up(table: Table, reference: Path | None) -> int:
    if reference is not None and "warm_up" in table.values:
        raise table.error("warm_up", "is for a model without a reference. Remove one of both.")
    advice = "Raise it: a reference learned from fewer events finds nothing."
    return table.integer("warm_up", 10_000, least=1_000, advice=advice)


def _signals(table: Table, name: str, reference: Path | None) -> dict[str, SignalConfig]:
    """Signals by name; empty to learn all that come."""
    said = table.values.get("signals")
    if said == "auto" and reference is None:
        return {}
    if isinstance(said, str):
        words = (
            f'must be "auto" or a table of signals; got {said!r}.' if reference is None
            else '= "auto" is for a model without a reference. Remove one of both.'
        )  # fmt: skip
        raise table.error("signals", words)
    if reference is None and not said:
        raise table.error(
            "reference",
            "is missing. Make one from training data, driftstream fit DATA --model "
            f'{name} -o {name}.json, and name it: reference = "{name}.json". Or let one be '
            'learned from the stream: signals = "auto".',
        )
    signals = table.table("signals")
    return {key: _signal(signals, key, reference) for key in signals.values}


def _signal(signals: Table, name: str, reference: Path | None) -> SignalConfig:
    own = ("importance", "tests", "monitor", "public", "privacy")
    table = signals.table(name, (*own, "kind", "role"))
    for key in ("kind", "role"):
        if reference is not None and key in table.values:
            raise table.error(key, "is what the reference says. Remove it here, or fit again.")
    return SignalConfig(
        importance=table.number("importance", None, above=0),
        tests=table.texts("tests", TESTS),
        monitor=table.flag("monitor", True),
        public=table.flag("public", False),
        privacy=table.choice("privacy", "", ("", "drop", "hash")),
        kind=table.choice("kind", "auto", ("numeric", "categorical", "auto")),
        role=table.choice("role", "feature", ROLES),
    )
