"""Any JSON by the paths of the config: compiled, and values copied as they were written.

The paths become one msgspec struct whose leaves are raw JSON, and a native event is pieced together
of them: no value is made an object here, and what each of them means is for the native decoder to
say. A document of another shape (a number where an object should be, NaN) is walked instead.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from stream.decode.formats.contract import (
    MAX_TRANSLATED,
    Envelope,
    Format,
    Mapped,
    Message,
    OptionsError,
    SourceOptions,
    Translate,
    event_time,
    native_type,
    too_large,
)
from stream.decode.formats.paths import EACH, path_text
from stream.decode.formats.picking import compile_picker, pick_slowly
from stream.decode.values import RefusedError

__all__ = ["FORMAT", "TAKEN"]

#: What a mapping may name, beside features and segments.
TAKEN: Final = (
    "model",
    "version",
    "id",
    "timestamp",
    "prediction",
    "score",
    "actual",
    "prediction_timestamp",
    "latency",
)
_PER_SECOND: Final = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
_encode: Final = msgspec.json.Encoder().encode


def _make(options: SourceOptions) -> Translate:
    mapped = options.mapping
    if mapped is None:
        raise OptionsError(
            "mapping",
            "is missing. Add [sources.mapping]; driftstream map --try SAMPLE.json writes one.",
        )
    return _Mapping(options, mapped).events


class _Mapping:
    """A compiled mapping."""

    def __init__(self, options: SourceOptions, mapped: Mapped) -> None:
        self._mapped = mapped
        paths = {name: path for name in TAKEN if (path := getattr(mapped, name)) is not None}
        if not paths.keys() & {"model"} and not options.model:
            raise OptionsError(
                "mapping.model", 'is missing. Name where it is, or model = "NAME" in [[sources]].'
            )
        signals = paths.keys() & {"prediction", "score", "actual"}
        if mapped.star is None and not mapped.features and not signals:
            raise OptionsError("mapping", "has no features, prediction, score or actual: name one.")
        for constant in ("model", "version"):
            if getattr(options, constant) and constant in paths:
                raise OptionsError(
                    f"mapping.{constant}", f"and {constant} of [[sources]] both say it. Remove one."
                )
        self._model = json.dumps(options.model).encode() if options.model else None
        self._version = json.dumps(options.version).encode() if options.version else None
        if mapped.star is not None:
            paths["*"] = mapped.star
        paths |= {f"features.{name}": path for name, path in mapped.features.items()}
        paths |= {f"segments.{name}": path for name, path in mapped.segments.items()}
        self._names = sorted(paths, key=_place)
        self._paths = [paths[name] for name in self._names]
        self._left_out = self._members_elsewhere(mapped)
        self._rows = [i for i, path in enumerate(self._paths) if EACH in path]
        self._shared_id = bool(self._rows) and mapped.id is not None and EACH not in mapped.id
        self._pick = compile_picker(self._paths)
        self._assemble = self._assembler()

    def _members_elsewhere(self, mapped: Mapped) -> frozenset[str]:
        """Members of the object of all features that are something else."""
        star = mapped.star
        if star is None:
            return frozenset()
        others = [path for name, path in zip(self._names, self._paths, strict=True) if name != "*"]
        inside = {
            path[len(star)]
            for path in others
            if len(path) > len(star) and path[: len(star)] == star
        }
        return frozenset({*mapped.ignore, *(step for step in inside if isinstance(step, str))})

    def _assembler(self) -> Callable[[list[Any], Envelope, int], bytes]:
        """The closure that puts one event together from its leaves, in the order of the paths.

        Where all of them are there, as almost always, they are written into the gaps of a template.
        """
        at = {name: i for i, name in enumerate(self._names)}
        template = self._template() if "timestamp" in at else None
        star, latency, identity = at.get("*"), at.get("latency"), at.get("id")
        per_second, left_out = _PER_SECOND[self._mapped.latency_unit], self._left_out
        place = "" if star is None else path_text(self._paths[star])
        piece = self._piecewise(at)
        shared_id = self._shared_id

        def assemble(leaves: list[Any], envelope: Envelope, row: int) -> bytes:
            if left_out and star is not None and leaves[star] is not None:
                leaves[star] = _without(leaves[star], left_out, place)
            if latency is not None and per_second != 1.0 and leaves[latency] is not None:
                leaves[latency] = _seconds(bytes(leaves[latency]), per_second)
            own = envelope.id if identity is None else ""
            if row >= 0 and shared_id and identity is not None and leaves[identity] is not None:
                leaves = leaves.copy()
                leaves[identity] = _with_row(bytes(leaves[identity]), row)
            if template is None or own or None in leaves:
                return piece(leaves, envelope, row)
            parts = template.copy()
            parts[1::2] = leaves
            return b"".join(parts)

        return assemble

    def _template(self) -> list[bytes]:
        """An event whose leaves all are there: what stands between them, and gaps for them."""
        gap = b"\0"
        leaves: list[Any] = [gap] * len(self._names)
        whole = self._piecewise({name: i for i, name in enumerate(self._names)})
        texts = whole(leaves, Envelope(), -1).split(gap)
        template = [gap] * (2 * len(texts) - 1)
        template[::2] = texts
        return template

    def _piecewise(self, at: dict[str, int]) -> Callable[[list[Any], Envelope, int], bytes]:
        """As `_assembler`, of leaves that may be missing."""
        model, version, time = at.get("model"), at.get("version"), at.get("timestamp")
        identity, star = at.get("id"), at.get("*")
        label, score, actual = at.get("prediction"), at.get("score"), at.get("actual")
        latency, made = at.get("latency"), at.get("prediction_timestamp")
        features = _members("features", self._names)
        segments = _members("segments", self._names)
        fixed_model, fixed_version = self._model, self._version
        path_texts = {
            name: path_text(path) for name, path in zip(self._names, self._paths, strict=True)
        }

        def must(name: str) -> RefusedError:
            return RefusedError("missing_field", f"Found no {name} - at $.{path_texts[name]}")

        def piece(leaves: list[Any], envelope: Envelope, row: int) -> bytes:
            name = fixed_model if model is None else leaves[model]
            if name is None:
                raise must("model")
            parts = [b'{"model":{"name":', name]

            def put(key: bytes, number: int | None) -> bool:
                if number is None or (found := leaves[number]) is None:
                    return False
                parts.extend((key, found))
                return True

            of = fixed_version if version is None else leaves[version]
            if of is not None:
                parts += (b',"version":', of)
            stamp = _encode(event_time(envelope)) if time is None else leaves[time]
            if stamp is None:
                raise must("timestamp")
            parts += (b'},"timestamp":', stamp)
            if identity is None and envelope.id:
                own = _encode(envelope.id)
                parts += (b',"prediction_id":', _with_row(own, row) if row >= 0 else own)
            put(b',"prediction_id":', identity)
            put(b',"features":', star)
            if star is None:
                _put_members(parts, b',"features":{', features, leaves)
            if score is None:
                put(b',"prediction":', label)
            else:
                begun = put(b',"prediction":{"label":', label)
                begun |= put(b',"score":' if begun else b',"prediction":{"score":', score)
                if begun:
                    parts.append(b"}")
            put(b',"actual":', actual)
            put(b',"prediction_timestamp":', made)
            put(b',"latency_seconds":', latency)
            _put_members(parts, b',"segments":{', segments, leaves)
            parts.append(b"}")
            return b"".join(parts)

        return piece

    def events(self, value: bytes, envelope: Envelope) -> Sequence[Message]:
        """The native events of a record."""
        try:
            leaves = self._pick(value)
        except (ValueError, TypeError, RecursionError):
            leaves = pick_slowly(value, self._paths)
        if self._rows:
            return self._each(leaves, envelope)
        return ((self._assemble(leaves, envelope, -1), b""),)

    def _each(self, leaves: list[Any], envelope: Envelope) -> list[Message]:
        columns = [leaves[i] for i in self._rows]
        n = max((len(column) for column in columns if column is not None), default=0)
        for i, column in zip(self._rows, columns, strict=True):
            if column is not None and len(column) != n:
                error = f"Expected {n} rows, got {len(column)} - at $.{path_text(self._paths[i])}"
                raise RefusedError("ragged_batch", error)
        if n == 0:
            place = path_text(self._paths[self._rows[0]])
            raise RefusedError("empty", f"Expected at least one row - at $.{place}")
        messages: list[Message] = []
        size = 0
        for row in range(n):
            own = leaves.copy()
            for i, column in zip(self._rows, columns, strict=True):
                own[i] = None if column is None else column[row]
            event = self._assemble(own, envelope, row if n > 1 else -1)
            size += len(event)
            if size > MAX_TRANSLATED:  # what rows share is repeated in each of them
                raise too_large(n)
            messages.append((event, b""))
        return messages


def _members(group: str, names: list[str]) -> list[tuple[int, bytes]]:
    """Leaves of named members, each with its key as it is written."""
    start = f"{group}."
    return [
        (i, json.dumps(name[len(start) :]).encode() + b":")
        for i, name in enumerate(names)
        if name.startswith(start)
    ]


def _put_members(
    parts: list[Any], begin: bytes, members: list[tuple[int, bytes]], leaves: list[Any]
) -> None:
    between = begin
    for i, key in members:
        if (value := leaves[i]) is not None:
            parts += (between, key, value)
            between = b","
    if between == b",":
        parts.append(b"}")


def _with_row(identity: bytes, row: int) -> bytes:
    """The id of one of several events that share one."""
    if identity.endswith(b'"'):
        return b'%b/%d"' % (identity[:-1], row)
    if identity[:1] in b"-0123456789":
        return b'"%b/%d"' % (identity, row)
    return identity  # no id at all, which the native decoder sees


def _without(whole: bytes, names: frozenset[str], place: str) -> bytes:
    try:
        members = _MEMBERS.decode(whole)
    except ValueError:
        raise RefusedError("wrong_type", f"Expected object - at $.{place}.*") from None
    if members is None:  # as good as not there
        return whole
    for name in names:
        members.pop(name, None)
    return _encode(members)


def _seconds(value: bytes, per_second: float) -> bytes:
    try:
        seconds = float(value) / per_second
    except ValueError:
        return value  # not a number: the native decoder says so
    return repr(seconds).encode() if math.isfinite(seconds) else value


def _place(name: str) -> int:
    """Where a leaf stands in an event, so that leaves are written in their order."""
    group = name.partition(".")[0]
    return _ORDER.index(group if group in _ORDER else name)


_ORDER: Final = (
    "model", "version", "timestamp", "id", "*", "features", "prediction", "score", "actual",
    "prediction_timestamp", "latency", "segments",
)  # fmt: skip
FORMAT: Final = Format("mapping", _make, (native_type("mapping"),))
