"""What a format is: a translation of one record into native events, and how it is recognised."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from stream.contracts.errors import DriftstreamError
from stream.decode.formats.paths import Path
from stream.decode.values import RefusedError, parse_object

__all__ = [
    "MAX_TRANSLATED",
    "Document",
    "Envelope",
    "Format",
    "Mapped",
    "Message",
    "OptionsError",
    "SourceOptions",
    "Translate",
    "encode",
    "event_time",
    "native_type",
    "parse_any",
    "too_large",
]

Document: TypeAlias = Mapping[str, Any]
_encode: Final = msgspec.json.Encoder().encode


class OptionsError(DriftstreamError, ValueError):
    """Settings of a source that a format cannot work with: `key` and what is wrong with it."""

    def __init__(self, key: str, words: str) -> None:
        super().__init__(f"{key} {words}")
        self.key = key
        self.words = words


@dataclass(frozen=True, slots=True)
class Mapped:
    """`[sources.mapping]`: where in a JSON object the members of an event are.

    `features` and `segments` are paths by name; `star` is the path of an object whose members all
    are features, but for those named in `ignore`.
    """

    model: Path | None = None
    version: Path | None = None
    id: Path | None = None
    timestamp: Path | None = None
    prediction: Path | None = None
    score: Path | None = None
    actual: Path | None = None
    prediction_timestamp: Path | None = None
    latency: Path | None = None
    latency_unit: str = "s"
    star: Path | None = None
    features: Mapping[str, Path] = field(default_factory=dict)
    segments: Mapping[str, Path] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What the config says of a topic's format.

    Attributes
    ----------
    format : str
        A name of the registry, or `native`.
    model, version : str
        Of all that are not native events, whatever they say; empty for what they say.
    columns : tuple of str
        Names of features that come as arrays without names.
    outputs : mapping
        `label` and `score` -> name of the model's output that is it.
    mapping : Mapped, optional
        For the format `mapping`.
    """

    format: str = "native"
    model: str = ""
    version: str = ""
    columns: tuple[str, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    mapping: Mapped | None = None


class Envelope(NamedTuple):
    """What is known of a message beside its bytes.

    `stamp_ms` is the record's own timestamp, 0 or less where it has none; the others are those of
    the CloudEvent that it came in, and empty where it came in none.
    """

    stamp_ms: int = 0
    id: str = ""
    time: str = ""
    type: str = ""
    attributes: Mapping[str, str] = {}


#: One native event or batch: its bytes, and its content type where that is not an event's.
Message: TypeAlias = tuple[bytes, bytes]
#: Gives the native messages of one record; raises RefusedError.
Translate: TypeAlias = Callable[[bytes, Envelope], Sequence[Message]]
#: Bytes of the native events of one record together.
MAX_TRANSLATED: Final = 32 << 20


def too_large(events: int) -> RefusedError:
    """The refusal of a record that becomes too much: what its events share is in each of them."""
    return RefusedError(
        "too_large",
        f"Expected at most {MAX_TRANSLATED} bytes as native events, got {events}",
    )


class Format(NamedTuple):
    """One row of the registry.

    Attributes
    ----------
    make : callable
        The translation under the settings of a source; raises OptionsError.
    content_types : tuple of bytes
        Values of the header `content-type` that name it, without parameters.
    event_types : tuple of str
        Types of CloudEvents that name it.
    looks_like : callable
        Whether a JSON object is of this format; for files, which have no headers.
    """

    name: str
    make: Callable[[SourceOptions], Translate]
    content_types: tuple[bytes, ...] = ()
    event_types: tuple[str, ...] = ()
    looks_like: Callable[[Document], bool] = lambda _: False


def native_type(name: str) -> bytes:
    """The content type that names a format of ours: for producers, and for lines of files."""
    return f"application/vnd.driftstream.{name}".encode()


def encode(event: Document) -> Message:
    """A native event of these members; None is not sent."""
    event = {name: member for name, member in event.items() if member is not None}
    try:
        return _encode(event), b""
    except (OverflowError, TypeError, ValueError):  # an integer of more than 64 bits
        return json.dumps(event).encode(), b""


def parse_any(value: bytes) -> dict[str, Any]:
    """A JSON object; leniently where it must be.

    Raises
    ------
    RefusedError
    """
    try:
        found = msgspec.json.decode(value)
    except (ValueError, RecursionError):
        return parse_object(value)
    return found if isinstance(found, dict) else parse_object(value)


def event_time(envelope: Envelope) -> str | float:
    """The time of an event that does not say its own: its CloudEvent's, else its record's.

    Raises
    ------
    RefusedError
        If neither has one.
    """
    if envelope.time:
        return envelope.time
    if envelope.stamp_ms > 0:
        return envelope.stamp_ms / 1000
    raise RefusedError(
        "missing_field",
        "Found no time: neither message, CloudEvent nor record has one",
    )
