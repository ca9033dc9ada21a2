"""Leaves of a JSON document by their paths, as raw JSON: compiled to structs, or by walking."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final, TypeAlias

import msgspec

from stream.decode.formats.paths import EACH, Path
from stream.decode.values import parse_object

__all__ = ["compile_picker", "pick_slowly"]

#: What a path leads to: raw JSON, a list of it below an `EACH`, None where there is nothing.
Leaf: TypeAlias = Any
Pick: TypeAlias = Callable[[bytes], list[Leaf]]
_RAWS: Final = msgspec.json.Decoder(list[msgspec.Raw] | None)


class _Node:
    """A place in a document: which paths end here, and which go on."""

    def __init__(self) -> None:
        self.ends: list[int] = []
        self.members: dict[str, _Node] = {}
        self.items: dict[int, _Node] = {}

    def put(self, path: Path, number: int) -> None:
        """Add a path, from here on."""
        if not path:
            self.ends.append(number)
            return
        step, rest = path[0], path[1:]
        if isinstance(step, str):
            self.members.setdefault(step, _Node()).put(rest, number)
        else:
            self.items.setdefault(step, _Node()).put(rest, number)


def compile_picker(paths: Sequence[Path]) -> Pick:
    """A function that gives the leaves of a document, in the order of the paths.

    It raises ValueError where the document has another shape than the paths ask for, or is no
    strict JSON: then it is to be walked.
    """
    root = _Node()
    for number, path in enumerate(paths):
        root.put(path, number)
    if not root.members or root.ends or root.items:
        return _reading(root, len(paths))
    places: list[tuple[str, _Node]] = []
    kind = _outline(root, "", places)
    decode = msgspec.json.Decoder(kind).decode
    if all(len(node.ends) == 1 and not (node.members or node.items) for _, node in places):
        name_of = {node.ends[0]: name for name, node in places}
        leaves_of = _getter([name_of[number] for number in range(len(paths))])
        return lambda value: list(leaves_of(decode(value)))
    values_of = _getter([name for name, _ in places])
    reads = [_compiled(node)[1] for _, node in places]
    n = len(paths)

    def pick(value: bytes) -> list[Leaf]:
        leaves: list[Leaf] = [None] * n
        for found, read in zip(values_of(decode(value)), reads, strict=True):
            if found is not None:
                read(found, leaves)
        return leaves

    return pick


def _outline(node: _Node, prefix: str, places: list[tuple[str, _Node]]) -> Any:
    """The struct of an object and of the objects in it; `places` gets what else is there."""
    fields: list[tuple[str, Any, Any]] = []
    renamed = {}
    for i, (name, child) in enumerate(node.members.items()):
        field = f"v{i}"
        renamed[field] = name
        if child.members and not (child.ends or child.items):
            made = _outline(child, f"{prefix}{field}.", places)
            fields.append((field, made, msgspec.field(default_factory=made)))
            continue
        places.append((prefix + field, child))
        kind = _compiled(child)[0]
        fields.append((field, kind if kind is msgspec.Raw else kind | None, None))
    return msgspec.defstruct("mapped", fields, rename=renamed, gc=False)


def _getter(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda found: (get(found),)


def _reading(root: _Node, n: int) -> Pick:
    kind, read_root = _compiled(root)
    decode = msgspec.json.Decoder(kind).decode

    def pick(value: bytes) -> list[Leaf]:
        leaves: list[Leaf] = [None] * n
        read_root(decode(value), leaves)
        return leaves

    return pick


_Read: TypeAlias = Callable[[Any, list[Leaf]], None]


def _compiled(node: _Node) -> tuple[Any, _Read]:
    """The type that a place is decoded as, and what puts its leaves where they belong."""
    if node.members and not (node.ends or node.items):
        return _of_object(node)
    if node.items and not (node.ends or node.members):
        return _of_array(node)
    if node.ends and not (node.members or node.items):
        return msgspec.Raw, _of_leaf(node.ends)
    # Both wanted whole and looked into, or an object here and an array there: read it twice.
    parts: list[tuple[Callable[[bytes], Any], _Read]] = []
    for member in ("members", "items"):
        if getattr(node, member):
            alone = _Node()
            setattr(alone, member, getattr(node, member))
            kind, read = _compiled(alone)
            parts.append((msgspec.json.Decoder(kind | None).decode, read))
    put = _of_leaf(node.ends)

    def read_all(raw: Any, leaves: list[Leaf]) -> None:
        put(raw, leaves)
        for decode, read in parts:
            if (found := decode(raw)) is not None:
                read(found, leaves)

    return msgspec.Raw, read_all


def _of_leaf(ends: list[int]) -> _Read:
    if len(ends) == 1:
        end = ends[0]

        def read_one(raw: Any, leaves: list[Leaf]) -> None:
            leaves[end] = raw

        return read_one

    def read(raw: Any, leaves: list[Leaf]) -> None:
        for number in ends:
            leaves[number] = raw

    return read


def _of_object(node: _Node) -> tuple[Any, _Read]:
    fields, renamed, reads = [], {}, []
    for i, (name, child) in enumerate(node.members.items()):
        kind, read = _compiled(child)
        fields.append((f"v{i}", kind | None if kind is not msgspec.Raw else kind, None))
        renamed[f"v{i}"] = name
        reads.append(read)
    made: Any = msgspec.defstruct("mapped", fields, rename=renamed, gc=False)
    astuple = msgspec.structs.astuple

    def read_members(found: Any, leaves: list[Leaf]) -> None:
        for value, read in zip(astuple(found), reads, strict=True):
            if value is not None:
                read(value, leaves)

    return made, read_members


def _of_array(node: _Node) -> tuple[Any, _Read]:
    if list(node.items) == [EACH]:
        return _of_each(node.items[EACH])
    reads = []
    for index, child in node.items.items():
        kind, read = _compiled(child)
        wanted = kind if kind is msgspec.Raw else kind | None
        reads.append((index, msgspec.json.Decoder(wanted).decode, read))

    def read_items(found: Any, leaves: list[Leaf]) -> None:
        for index, decode, read in reads:
            if index == EACH:
                read_each(found, leaves)
            elif index < len(found) and (value := decode(found[index])) is not None:
                read(value, leaves)

    if EACH in node.items:
        kind, whole = _of_each(node.items[EACH])
        again = msgspec.json.Decoder(kind).decode

        def read_each(found: Any, leaves: list[Leaf]) -> None:
            whole(again(msgspec.json.encode(found)), leaves)

    return list[msgspec.Raw], read_items


def _of_each(child: _Node) -> tuple[Any, _Read]:
    kind, read = _compiled(child)
    ends = _all_ends(child)

    def read_rows(found: Any, leaves: list[Leaf]) -> None:
        columns: list[list[Leaf]] = [[] for _ in ends]
        for item in found:
            for number in ends:
                leaves[number] = None
            if item is not None:
                read(item, leaves)
            for column, number in zip(columns, ends, strict=True):
                column.append(leaves[number])
        for column, number in zip(columns, ends, strict=True):
            leaves[number] = column

    item: Any = kind if kind is msgspec.Raw else kind | None
    return list.__class_getitem__(item), read_rows


def _all_ends(node: _Node) -> list[int]:
    ends = list(node.ends)
    for child in (*node.members.values(), *node.items.values()):
        ends += _all_ends(child)
    return ends


def pick_slowly(value: bytes, paths: Sequence[Path]) -> list[Leaf]:
    """The leaves of a document of any shape: what a path does not lead to is not there.

    Raises
    ------
    RefusedError
        If it is no JSON.
    """
    try:
        document = msgspec.json.decode(value)
    except (ValueError, RecursionError):  # NaN in it, or worse
        document = parse_object(b'{"":%b}' % value)[""]
    return [_walk(document, path) for path in paths]


def _walk(value: Any, path: Path) -> Leaf:
    for i, step in enumerate(path):
        if isinstance(step, str):
            if not isinstance(value, dict) or step not in value:
                return None
            value = value[step]
        elif not isinstance(value, list):
            return None
        elif step == EACH:
            return [_walk(item, path[i + 1 :]) for item in value]
        elif step >= len(value):
            return None
        else:
            value = value[step]
    return _encode(value)


def _encode(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (OverflowError, TypeError, ValueError):  # an integer of more than 64 bits
        return json.dumps(value).encode()
