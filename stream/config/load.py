"""The config file: TOML in, plain values out, every mistake named with its remedy.

Read by the command line only; what it says is passed down as plain values.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from detectors import WINDOWED_TESTS
from stream.config.config import Config, Connection, ModelConfig, SignalConfig, plain
from stream.config.declared import keys_of, read_declared
from stream.config.silences import read_silences
from stream.config.sources import read_sources
from stream.config.tables import IngestConfig, SignalPrivacy, TopicsConfig, WorkerConfig
from stream.config.targets import read_targets
from stream.config.toml_table import ConfigError, Table, read_secret, substitute
from stream.contracts.declared import settings_of
from stream.contracts.plan_settings import (
    DeclaredSignal,
    Learn,
    Limit,
    PlanSettings,
    SignalOptions,
)
from stream.contracts.topic_names import TopicNames

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
    "WorkerConfig",
    "load_config",
]

#: Names of tests that a signal's `tests` may list.
TESTS: Final = ("adwin", "edetector", "day", *WINDOWED_TESTS)
#: Tables of a config file.
TABLES: Final = (
    "kafka", "worker", "topics", "models", "sources", "notify", "silences", "privacy", "ingest",
)  # fmt: skip
_MODEL_SETTINGS: Final = [s for s in settings_of(PlanSettings) if s.extra.get("table") is None]
#: Tables within that of a model, and their settings.
_MODEL_TABLES: Final = {
    name: [s for s in settings_of(PlanSettings) if s.extra.get("table") == name]
    for name in ("window", "fairness", "outcome")
}
_WARM_UP: Final = [s for s in settings_of(Learn) if s.words]
_MODEL_KEYS: Final = (
    "name",
    "reference",
    *keys_of(_MODEL_SETTINGS),
    *keys_of(_WARM_UP),
    *_MODEL_TABLES,
    "signals",
    "limits",
)


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
    models = tuple(_model(table, path.parent) for table in top.tables("models", _MODEL_KEYS))
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
            secret = folder / table.text(key, non_empty=True)
            values[key.removesuffix("_file")] = read_secret(secret, f"kafka.{key}", top.file)
        elif key.replace(".", "_").endswith("_location"):
            values[key] = str(folder / table.text(key, non_empty=True))
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
        path = folder / table.text("hash_key_file", non_empty=True)
        key = read_secret(path, "privacy.hash_key_file", top.file)
    try:
        return CategoryHash(str(key)) if key else None
    except HashKeyError as error:
        raise table.error("hash_key", f"cannot be used: {error}") from None


def _worker(top: Table, folder: Path, prefix: str) -> WorkerConfig:
    settings = settings_of(WorkerConfig)
    table = top.table("worker", keys_of(settings))
    found = read_declared(table, settings, folder)
    if bool(found["metrics_tls_cert"]) != bool(found["metrics_tls_key"]):
        raise table.error(
            "metrics_tls_cert", "and metrics_tls_key go together. Give both, or none."
        )
    if "group" not in table.values:
        found["group"] = prefix + found["group"]
    return WorkerConfig(**found)


def _ingest(top: Table, folder: Path) -> IngestConfig:
    settings = settings_of(IngestConfig)
    return IngestConfig(**read_declared(top.table("ingest", keys_of(settings)), settings, folder))


def _topics(top: Table) -> TopicsConfig:
    settings = settings_of(TopicsConfig)
    table = top.table("topics", keys_of(settings))
    found = read_declared(table, settings)
    prefix = found["prefix"]
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,200}", prefix):
        raise table.error(
            "prefix", f'may have letters, digits, ".", "_" and "-" as topics do; got {prefix!r}.'
        )
    names = [name.name for name in fields(TopicNames)]
    for name in names:
        if name not in table.values:
            found[name] = prefix + found[name]
    chosen = [str(found[name]) for name in names]
    if len(set(chosen)) < len(names):
        raise table.error("", f"gives two topics one name: {', '.join(chosen)}.")
    found["replication"] = found["replication"] or -1
    return TopicsConfig(**found)


def _model(table: Table, folder: Path) -> ModelConfig:
    name = str(table.text("name", non_empty=True))
    reference = (
        folder / table.text("reference", non_empty=True) if "reference" in table.values else None
    )
    settings = read_declared(table, _MODEL_SETTINGS)
    for key, declared in _MODEL_TABLES.items():
        settings |= read_declared(table.table(key, keys_of(declared)), declared)
    return ModelConfig(
        name=name,
        reference=reference,
        settings=settings | {"limits": _limits(table)},
        warm_up=_warm_up(table, reference),
        signals=_signals(table, name, reference),
        path=table.path,
    )


def _warm_up(table: Table, reference: Path | None) -> int:
    if reference is not None and "warm_up" in table.values:
        raise table.error("warm_up", "is for a model without a reference. Remove one of both.")
    return int(read_declared(table, _WARM_UP)["warm_up"])


def _limits(table: Table) -> tuple[Limit, ...]:
    settings = settings_of(Limit)
    found = []
    for each in table.tables("limits", keys_of(settings)):
        values = read_declared(each, settings)
        if (values["at_least"] is None) == (values["at_most"] is None):
            raise each.error("", "needs at_least or at_most, and not both. Give one.")
        found.append(Limit(**{key: plain(value) for key, value in values.items()}))
    return tuple(found)


def _signals(table: Table, name: str, reference: Path | None) -> dict[str, SignalConfig]:
    """Signals by name; empty to learn all that come."""
    wanted = table.values.get("signals")
    if wanted == "auto" and reference is None:
        return {}
    if isinstance(wanted, str):
        words = (
            f'must be "auto" or a table of signals; got {wanted!r}.'
            if reference is None
            else '= "auto" is for a model without a reference. Remove one of both.'
        )
        raise table.error("signals", words)
    if reference is None and not wanted:
        raise table.error(
            "reference",
            "is missing. Make one from training data, driftstream fit DATA --model "
            f'{name} -o {name}.json, and name it: reference = "{name}.json". Or let one be '
            'learned from the stream: signals = "auto".',
        )
    signals = table.table("signals")
    return {key: _signal(signals, key, reference) for key in signals.values}


def _signal(signals: Table, name: str, reference: Path | None) -> SignalConfig:
    options, declared = settings_of(SignalOptions), settings_of(DeclaredSignal)
    privacy = settings_of(SignalPrivacy)
    table = signals.table(name, keys_of((*options, *privacy, *declared)))
    for key in keys_of(declared):
        if reference is not None and key in table.values:
            raise table.error(key, "is what the reference says. Remove it here, or fit again.")
    return SignalConfig(
        SignalOptions(**read_declared(table, options, choices={"tests": TESTS})),
        DeclaredSignal(**read_declared(table, declared)),
        read_declared(table, privacy)["privacy"],
    )
