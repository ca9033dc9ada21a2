"""Settings that are declared as types: of each its kind, default, bounds and meaning, in one place.

A group of settings is a msgspec Struct. The type of a field is the kind of its value; an integer
whose name ends in `_ms` is a duration. `Meta` has the bounds, what the setting means
(`description`) and, as `extra`, what no type says: the advice of an error, and marks of the group's
own.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta

__all__ = ["Setting", "one_of", "settings_of"]


@dataclasses.dataclass(frozen=True)
class Setting:
    """One field of such a Struct.

    Attributes
    ----------
    field, name : str
        In the code, and as people write it: a duration without its `_ms`.
    kind : str
        "text", "choice", "integer", "number", "flag", "duration", "texts" or
        "segments": texts and lists of them.
    default : object
        `msgspec.NODEFAULT` where it is needed; of a duration in milliseconds.
    minimum, above : int or float, optional
        Bounds, inclusive and exclusive: of a text that of its length.
    choices : tuple of str
        Of a choice.
    words : str
        What it means; "" for one that users do not set.
    extra : mapping
    """

    field: str
    name: str
    kind: str
    default: Any
    minimum: float | None = None
    above: float | None = None
    choices: tuple[str, ...] = ()
    words: str = ""
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def fault(self, value: Any) -> str:
        """What is wrong with a value of the right type, and what to do; "" if nothing."""
        unit = " ms" if self.kind == "duration" else ""
        if self.kind == "text":
            if self.minimum is None or len(value) >= self.minimum:
                return ""
            fault, advice = "must not be empty.", "Give it a value, or leave the key out."
        elif self.minimum is not None and value < self.minimum:
            fault, advice = f"must be >= {self.minimum}{unit}; got {value}{unit}.", "Raise it."
        elif self.above is not None and not self.above < value < math.inf:
            fault, advice = f"must be > {self.above:g} and finite; got {value}.", ""
        elif self.kind == "choice" and value not in self.choices:
            fault, advice = f"must be {one_of(self.choices)}; got {value!r}.", ""
        else:
            return ""
        return f"{fault} {self.extra.get('advice', advice)}".rstrip()


def one_of(choices: Sequence[str]) -> str:
    """What a value may be, in words."""
    return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"


@cache
def settings_of(group: type[msgspec.Struct]) -> tuple[Setting, ...]:
    """The settings of a group, in the order of its fields."""
    return tuple(_setting(each) for each in msgspec.structs.fields(group))


def _setting(of: msgspec.structs.FieldInfo) -> Setting:
    value, meta = _annotated(of.type)
    optional = get_origin(value) in (Union, UnionType) and get_args(value)[1:] == (NoneType,)
    value, bounds = _annotated(get_args(value)[0]) if optional else (value, meta)
    kind, choices = _kind(of.name, value)
    default = of.default if of.default_factory is msgspec.NODEFAULT else of.default_factory()
    return Setting(
        field=of.name,
        name=of.name.removesuffix("_ms") if kind == "duration" else of.name,
        kind=kind,
        default=default,
        minimum=bounds.min_length if kind == "text" else bounds.ge,
        above=bounds.gt,
        choices=choices,
        words=meta.description or "",
        extra=meta.extra or {},
    )


def _annotated(kind: Any) -> tuple[Any, Meta]:
    """A type without its annotation, and that."""
    return get_args(kind) if get_origin(kind) is Annotated else (kind, Meta())


def _kind(name: str, value: Any) -> tuple[str, tuple[str, ...]]:
    if get_origin(value) is Literal:
        return "choice", get_args(value)
    if name.endswith("_ms"):
        return "duration", ()
    if get_origin(value) is tuple:
        item = get_args(value)[0]
        if get_origin(item) in (Union, UnionType):
            return "segments", ()
        return "texts", get_args(item) if get_origin(item) is Literal else ()
    kinds: dict[Any, str] = {bool: "flag", int: "integer", float: "number", str: "text"}
    return kinds.get(value, "other"), ()
