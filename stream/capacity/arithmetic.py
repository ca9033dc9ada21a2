"""How many cores, partitions and bytes a load needs: arithmetic over measured unit costs.

Every unit cost of `units.json` is a measurement of `python -m benchmarks`, with the commit it is
of, on 2 cores of a cloud server with the broker beside the worker. Other machines scale all of them
much alike: measure your own and compare.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import msgspec

from detectors.figures import figure
from stream.contracts.errors import SettingError
from stream.text.counted import counted

__all__ = ["FORMS", "UNITS", "Line", "Load", "Units", "capacity"]


@dataclass(frozen=True)
class Units:
    """Unit costs: CPU microseconds of the worker, bytes as Kafka holds them uncompressed.

    Attributes
    ----------
    event_us, value_us
        Of an event in each form, and of each of its feature values.
    entry_us, entry_signal_us
        Of one (scope, pane) of one source partition: publish, merge, seal, test; and of each of
        its signals.
    entry_bytes, entry_signal_bytes
        On the summaries topic.
    scope_bytes, scope_signal_bytes, model_bytes, model_signal_bytes
        Memory of a scope with all tests, and of what a model has beside it: reference and tables.
    worker_bytes
        Memory of a worker at full speed that watches next to nothing.
    """

    event_us: dict[str, float]
    value_us: dict[str, float]
    entry_us: float
    entry_signal_us: float
    entry_bytes: float
    entry_signal_bytes: float
    scope_bytes: float
    scope_signal_bytes: float
    model_bytes: float
    model_signal_bytes: float
    worker_bytes: float
    source: str


UNITS: Final = msgspec.json.decode(
    files("stream.capacity").joinpath("units.json").read_bytes(), type=Units
)

FORMS: Final = tuple(UNITS.event_us)
#: Busy share of a core to plan for: the rest is for catching up after a restart, and for peaks.
_BUSY: Final = 0.5
_DAY_S: Final = 86_400


@dataclass(frozen=True)
class Load:
    """What is to be watched.

    Attributes
    ----------
    segments : int
        Values of segments of each model; each is a scope of its own beside the model's.
    retention_hours : float
        Of the summaries topic.
    """

    events_per_second: float
    signals: int
    models: int = 1
    segments: int = 0
    form: str = "json"
    pane_s: float = 10.0
    retention_hours: float = 24.0


@dataclass(frozen=True)
class Line:
    """One result, with the arithmetic that gives it."""

    what: str
    value: str
    how: str


def capacity(load: Load, units: Units = UNITS) -> Iterator[Line]:
    """What the load needs, line by line.

    Raises
    ------
    SettingError
        If a number of the load is not positive, or the form is unknown.
    """
    _check(load)
    rate, signals = load.events_per_second, load.signals
    each_signal, models = counted(signals, "signal"), counted(load.models, "model")
    event_us = units.event_us[load.form] + signals * units.value_us[load.form]
    event_cores = rate * event_us / 1e6
    yield Line(
        "stage 1",
        _cores(event_cores),
        f"{figure(rate)} events/s x ({figure(units.event_us[load.form])} + {each_signal} x "
        f"{figure(units.value_us[load.form])}) us = {figure(rate)} x {figure(event_us)} us",
    )
    scopes = load.models * (1 + load.segments)
    entry_us = units.entry_us + signals * units.entry_signal_us
    workers = max(1, math.ceil(event_cores / _BUSY))
    while True:  # more partitions are more panes to merge, which may want more workers
        partitions = max(4, 2 * workers)
        each = min(scopes * partitions / load.pane_s, rate * (1 + bool(load.segments)))
        entry_cores = each * entry_us / 1e6
        wanted = max(1, math.ceil((event_cores + entry_cores) / _BUSY))
        if wanted <= workers:
            break
        workers = wanted
    yield Line(
        "panes",
        f"{figure(each)} a second",
        f"{models} x {counted(1 + load.segments, 'scope')} x {partitions} partitions "
        f"/ {figure(load.pane_s)} s, at most one an event and scope",
    )
    yield Line(
        "stage 2",
        _cores(entry_cores),
        f"{figure(each)} panes/s x ({figure(units.entry_us)} + {each_signal} x "
        f"{figure(units.entry_signal_us)}) us",
    )
    yield Line(
        "workers",
        f"{workers:,}",
        f"{figure(event_cores + entry_cores)} cores / {_BUSY} busy: a worker is one core, half of "
        "it for peaks and catching up",
    )
    yield Line(
        "partitions",
        f"{partitions:,}",
        "of the events topic and of driftstream's own: 2 a worker, so that one more worker helps; "
        "at least 4",
    )
    entry = units.entry_bytes + signals * units.entry_signal_bytes
    rate_bytes = each * entry
    yield Line(
        "summaries",
        f"{_bytes(rate_bytes)}/s, {_bytes(rate_bytes * _DAY_S)} a day",
        f"{figure(each)} panes/s x ({figure(units.entry_bytes)} + {each_signal} x "
        f"{figure(units.entry_signal_bytes)}) bytes, uncompressed",
    )
    yield Line(
        "summaries topic",
        _bytes(rate_bytes * 3600 * load.retention_hours),
        f"{figure(load.retention_hours)} h of retention, times replicas",
    )
    scope = units.scope_bytes + signals * units.scope_signal_bytes
    own = units.model_bytes + signals * units.model_signal_bytes
    yield Line(
        "memory of all workers",
        _bytes(workers * units.worker_bytes + load.models * own + scopes * scope),
        f"{counted(workers, 'worker')} x {_bytes(units.worker_bytes)} + {models} x "
        f"{_bytes(own)} of references and tables + {counted(scopes, 'scope')} x {_bytes(scope)}",
    )


def _check(load: Load) -> None:
    for name in ("events_per_second", "signals", "models", "pane_s", "retention_hours"):
        if not 0 < getattr(load, name) < math.inf:
            raise SettingError(f"{name} must be > 0 and finite; got {getattr(load, name)}.")
    if load.segments < 0:
        raise SettingError(f"segments must be >= 0; got {load.segments}.")
    if load.form not in FORMS:
        raise SettingError(f"form must be one of {', '.join(FORMS)}; got {load.form!r}.")


def _cores(cores: float) -> str:
    return f"{figure(cores)} cores" if cores >= 0.001 else "< 0.001 cores"


def _bytes(n: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB"):
        if n < 1000:
            return f"{figure(n)} {unit}"
        n /= 1000
    return f"{figure(n)} TB"
