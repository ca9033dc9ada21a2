"""`[[sources]]`: in which format the records of a topic are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

from stream.config.toml_table import Table
from stream.decode.formats.cloudevents import ENVELOPES
from stream.decode.formats.contract import Mapped, OptionsError, SourceOptions
from stream.decode.formats.mapping import TAKEN
from stream.decode.formats.paths import Path, parse_path
from stream.decode.formats.registry import BY_NAME

__all__ = ["read_sources", "source_notes"]

#: Of one entry; `mapping` and `outputs` are tables in it.
_KEYS: Final = ("topic", "format", "model", "version", "columns")
_MAPPING: Final = (*TAKEN, "latency_unit", "features", "segments", "ignore")
_UNITS: Final = ("s", "ms", "us", "ns")
_T = TypeVar("_T")


def read_sources(top: Table, topics: Iterable[str]) -> dict[str, SourceOptions]:
    """The formats of topics that are not native, by topic.

    Raises
    ------
    ConfigError
        If one is of no model's topic, is there twice, or its format cannot work with it.
    """
    known = set(topics)
    found: dict[str, SourceOptions] = {}
    for table in top.tables("sources", [*_KEYS, "outputs", "mapping"]):
        topic = table.text("topic", non_empty=True)
        if topic not in known:
            raise table.error(
                "topic",
                f"must be the topic of a model, {', '.join(sorted(known))}; "
                f"got {topic!r}. Correct one of them.",
            )
        if topic in found:
            raise table.error("topic", f"is there twice: {topic!r}. Put both into one [[sources]].")
        found[topic] = _checked(table, _source(table))
    return found


def source_notes(options: SourceOptions) -> Iterator[str]:
    """What the settings of a source mean, though nothing is wrong with them."""
    if options.mapping is not None and options.mapping.timestamp is None:
        yield (
            "the mapping has no timestamp: that of the CloudEvent, else of the record, is taken "
            "for the time of an event"
        )
    if options.mapping is None and options.format in ("native", *ENVELOPES):
        for key in ("model", "version"):
            if getattr(options, key):
                yield f"{key} is not for native events, which say their own"


def _source(table: Table) -> SourceOptions:
    outputs = table.table("outputs", ("label", "score"))
    mapping = table.table("mapping", _MAPPING) if "mapping" in table.values else None
    return SourceOptions(
        table.choice("format", "native" if mapping is None else "mapping", ["native", *BY_NAME]),
        str(table.text("model", "")),
        str(table.text("version", "")),
        table.texts("columns"),
        {key: outputs.text(key, non_empty=True) for key in outputs.values},
        None if mapping is None else _mapped(mapping),
    )


def _checked(table: Table, options: SourceOptions) -> SourceOptions:
    name = options.format
    if options.mapping is not None and name not in ("mapping", *ENVELOPES):
        raise table.error("mapping", f'is for format = "mapping"; got {name!r}. Remove one.')
    try:
        if options.mapping is not None:
            BY_NAME["mapping"].make(options)
        if name != "native":
            BY_NAME[name].make(options)
    except OptionsError as error:
        raise table.error(error.key, error.words) from None
    return options


def _mapped(table: Table) -> Mapped:
    paths: dict[str, Any] = {key: _path(table, key) for key in TAKEN if key in table.values}
    star = None
    features: dict[str, Path] = {}
    if isinstance(table.values.get("features"), str):
        text = table.text("features")
        if text != "*" and not text.endswith(".*"):
            raise table.error(
                "features",
                "must be the path of an object with .* behind it, or a "
                f"table of names and paths; got {text!r}.",
            )
        star = _read(table, "features", lambda: parse_path(text[:-2]) if text != "*" else ())
    else:
        features = _paths(table, "features")
    return Mapped(
        **paths,
        latency_unit=table.choice("latency_unit", "s", _UNITS),
        star=star,
        features=features,
        segments=_paths(table, "segments"),
        ignore=table.texts("ignore"),
    )


def _paths(table: Table, key: str) -> dict[str, Path]:
    inner = table.table(key)
    return {name: _path(inner, name) for name in inner.values}


def _path(table: Table, key: str) -> Path:
    text = table.text(key, non_empty=True)
    return _read(table, key, lambda: parse_path(text))


def _read(table: Table, key: str, read: Callable[[], _T]) -> _T:
    try:
        return read()
    except ValueError as error:
        words = f'is no path: it {error}. Write it as in "request.inputs[0].value".'
        raise table.error(key, words) from None
