"""Under which version an event is counted in one chunk: its own, or with others beyond a bound.

A version that is new with every event would otherwise cost counts, a message and a monitor each.
As with segments, what is decided depends on the chunk's records and their order alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from stream.decode.columns import Columns

__all__ = [
    "AT_ONCE",
    "EVENTS_FIRST",
    "MAX_VERSIONS",
    "MAX_VERSION_CHARS",
    "OTHER_VERSION",
    "ChunkVersions",
    "by_version",
]

#: The version that stands for all beyond the bounds.
OTHER_VERSION: Final = "__other__"
#: So many versions of a plan are counted on their own from their first event in a chunk.
AT_ONCE: Final = 100
#: Later ones are, from the event after so many that were counted as `__other__` ...
EVENTS_FIRST: Final = 16
#: ... until there are so many in the chunk.
MAX_VERSIONS: Final = 1_000
#: A longer version is no version: it would not fit the keys that carry it.
MAX_VERSION_CHARS: Final = 200


class ChunkVersions(dict[str, str | None]):
    """Version -> the one it is counted under, None if it is none; for `map(__getitem__, column)`.

    Versions are looked up in the order of the log, once for each event: one that is not counted on
    its own yet is counted down to that. The one without a name always is.
    """

    def __init__(self) -> None:
        super().__init__({"": "", OTHER_VERSION: OTHER_VERSION})
        self._always = len(self)
        self._seen: dict[str, int] = {}

    def __missing__(self, version: str) -> str | None:
        if len(version) > MAX_VERSION_CHARS:
            return None
        known = len(self) - self._always
        if known >= MAX_VERSIONS:
            self._seen.clear()
            return OTHER_VERSION
        if known >= AT_ONCE:
            seen = self._seen[version] = self._seen.get(version, 0) + 1
            if seen <= EVENTS_FIRST:
                return OTHER_VERSION
            del self._seen[version]
        self[version] = version
        return version


def by_version(group: Columns, known: ChunkVersions) -> Iterator[tuple[str | None, Columns]]:
    """The rows of a group by the version that they are counted under."""
    sent = group.versions
    if isinstance(sent, str):
        first = known[sent]
        if first is None or first == sent:  # so are the others
            yield first, group
            return
        rest = [sent] * (len(group.rows) - 1)
        names = [first, *map(known.__getitem__, rest)]
    else:
        names = list(map(known.__getitem__, sent))
    number = {name: i for i, name in enumerate(dict.fromkeys(names))}
    which = np.fromiter(map(number.__getitem__, names), np.int32, len(names))
    order = np.argsort(which, kind="stable")
    cuts = np.cumsum(np.bincount(which, minlength=len(number)))[:-1]
    for name, rows in zip(number, np.split(order, cuts), strict=True):
        yield name, group.take(rows, name or "")
