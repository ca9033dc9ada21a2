"""Segments of a stream, and how the parts are called that their values make of it.

A segment is a column, or two or three of them: then each combination of their values is a part of
its own, so that one which is broken is found where each value by itself is as ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from detectors.references.json_reader import Place

__all__ = [
    "MAX_VALUES",
    "MAX_VALUE_CHARS",
    "OTHER_VALUES",
    "Segment",
    "check_segments",
    "columns_of_segments",
    "other_scope",
    "read_segment",
    "scope_name",
    "scope_parts",
    "segment_name",
    "segment_of",
    "written",
]

#: A column, or two or three whose combinations of values are meant.
Segment: TypeAlias = str | tuple[str, ...]
#: Values with counts of their own in a reference: the most frequent. Of protected
#: ones all pairs are compared.
MAX_VALUES: Final = 20
#: A longer value is among those without counts of their own.
MAX_VALUE_CHARS: Final = 200
#: What those are called together.
OTHER_VALUES: Final = "__other__"

_SIZES: Final = (2, 3)
_NOT_IN_COMBINATIONS: Final = ",=\\"
#: In a combination a comma of a value has a backslash before it, so this ends a value.
_NEXT: Final = re.compile(r", [^,=\\]+=")
_PART: Final = re.compile(r"([^,=\\]+)=((?:[^\\,]|\\.)*)(?:, |\Z)", re.DOTALL)


def columns_of_segments(segments: Iterable[Segment]) -> tuple[str, ...]:
    """The columns that segments are made of, each once."""
    return tuple(
        dict.fromkeys(
            column
            for segment in segments
            for column in ((segment,) if isinstance(segment, str) else segment)
        )
    )


def segment_name(segment: Segment) -> str:
    """`sex`, or `sex, age_band`."""
    return segment if isinstance(segment, str) else ", ".join(segment)


def written(segment: Segment) -> str | list[str]:
    """`sex`, or `["sex", "age_band"]`: as documents have it."""
    return segment if isinstance(segment, str) else list(segment)


def scope_name(segment: Segment, values: str | Sequence[str]) -> str:
    """The part of a stream with these values: `sex=F`, or `sex=F, age_band=60+`.

    No two parts have one name, whatever is in the values: `scope_parts` reads it.
    """
    if isinstance(segment, str):
        assert isinstance(values, str)
        return f"{segment}={_escaped(values) if _NEXT.search(values) else values}"
    pairs = zip(segment, values, strict=True)
    return ", ".join(f"{column}={_escaped(value)}" for column, value in pairs)


def other_scope(name: str) -> str:
    """All that has no counts of its own in the segment of that name."""
    return f"{name}={OTHER_VALUES}"


def scope_parts(scope: str) -> tuple[tuple[str, str], ...]:
    r"""Column and value of each member of a part of the stream; of the whole stream none.

    A value is as it is written there, with a backslash before its commas in a combination.

    Examples
    --------
    >>> scope_parts("sex=F, age_band=60+")
    (('sex', 'F'), ('age_band', '60+'))
    >>> scope_parts("city=Washington, DC")
    (('city', 'Washington, DC'),)
    """
    if _NEXT.search(scope):
        at, parts = 0, []
        while at < len(scope) and (found := _PART.match(scope, at)):
            parts.append((found[1], found[2]))
            at = found.end()
        if at == len(scope) and len(parts) > 1:
            return tuple(parts)
    column, is_part, value = scope.partition("=")
    return ((column, value),) if is_part else ()


def segment_of(scope: str) -> str:
    """Name of the segment that a part of the stream is a value of; empty of the whole stream."""
    if ", " not in scope:
        return scope.partition("=")[0]
    return ", ".join(column for column, _ in scope_parts(scope))


def check_segments(segments: Iterable[Segment]) -> None:
    """Refuse segments that events cannot have, or that are the same twice.

    Raises
    ------
    ValueError
        Saying what of them is wrong, and what to do.
    """
    segments = tuple(segments)
    shown = [written(segment) for segment in segments]
    known: dict[str | frozenset[str], str | list[str]] = {}
    for segment, as_shown in zip(segments, shown, strict=True):
        if isinstance(segment, str):
            if not segment or "=" in segment:
                raise ValueError(
                    f"segments must be different names without '='; got {segment!r} in {shown}. "
                    "Rename it in the events and the reference."
                )
        else:
            _check_combination(segment)
        # In another order it is the same parts of the stream, and a name is of one segment only.
        names: tuple[str | frozenset[str], ...] = (
            segment_name(segment),
            frozenset(columns_of_segments([segment])),
        )
        for same in names:
            if same in known:
                raise ValueError(
                    f"segments must be of different names; got {as_shown!r} beside {known[same]!r} "
                    f"in {shown}. Keep one."
                )
            known[same] = as_shown


def _check_combination(columns: tuple[str, ...]) -> None:
    if len(columns) not in _SIZES or len(set(columns)) < len(columns):
        raise ValueError(
            "a combination in segments must be of two or three different names; got "
            f"{list(columns)}. Name a single one without brackets."
        )
    for column in columns:
        if not column or any(character in column for character in _NOT_IN_COMBINATIONS):
            raise ValueError(
                f"a combination in segments must be of names without ',', '=' and '\\'; got "
                f"{column!r} in {list(columns)}. Rename it in the events and the reference."
            )


def read_segment(place: Place) -> Segment:
    """From the document at a place: a text, or an array of them."""
    if isinstance(place.value, list):
        return tuple(item.text(non_empty=True) for item in place.items())
    return place.text(non_empty=True)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(",", "\\,")
