"""The `model` member of an event: what a decoder asks of it, and the versions of many events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from stream.decode.signal_group import make_struct
from stream.decode.values import as_text
from stream.plans.plan import ANY_VERSION, Subject

__all__ = ["joined_versions", "model_struct", "refusing", "versions_of"]


def model_struct(line: Subject) -> Any:
    """The struct of `model` that only events of this model, and version if not `*`, have."""
    return make_struct("model", [("name", Literal[line.model]), _version_field(line.version)])


def refusing(own: frozenset[str], decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """A decoder that fails on events of these versions, which have plans of their own."""
    if not own:
        return decode

    def decode_others(value: bytes) -> Any:
        found = decode(value)
        if (as_text(found.model.version) or "") in own:
            raise ValueError(found.model.version)
        return found

    return decode_others


def _version_field(version: str) -> tuple[Any, ...]:
    """The version as a literal; numbers and null may stand for its text."""
    if version == ANY_VERSION:
        return ("version", str | int | float | None, None)
    if not version:
        return ("version", Literal["", None], "")
    if version.isascii() and version.isdigit() and version == str(int(version[:18])):
        return ("version", Literal[version, int(version)])
    return ("version", Literal[version])


def versions_of(events: list[Any]) -> str | list[str]:
    """The version of all events, or that of each."""
    sent = [event.model.version for event in events]
    if sent.count(sent[0]) == len(sent):  # half the time of their hashes
        return as_text(sent[0]) or ""
    texts = {version: as_text(version) or "" for version in set(sent)}
    if len(set(texts.values())) == 1:
        return texts[sent[0]]
    return list(map(texts.__getitem__, sent))


def joined_versions(parts: Iterable[tuple[str | list[str], int]]) -> str | list[str]:
    """The versions of the rows of several parts, given those of each part and its length."""
    parts = list(parts)
    first = parts[0][0]
    if isinstance(first, str) and all(versions == first for versions, _ in parts):
        return first
    joined: list[str] = []
    for versions, n in parts:
        joined += [versions] * n if isinstance(versions, str) else versions
    return joined
