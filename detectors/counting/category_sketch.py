"""Counts of names where no reference exists: exact for a sample of the names, bounded in size.

Kept are the names whose hash is below a bound that is halved as often as it takes, so which are
kept is a function of the names alone: the same names give the same table in any order and from any
partition into parts, and a name that is kept in the whole was kept in every part (adaptive
sampling: Flajolet 1990). All other names are counted by the tail bin that each would fall into.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

__all__ = [
    "LEAST_VALUES",
    "MANY_NEW",
    "MOST_HALVINGS",
    "MOST_NAMES",
    "MOST_NAME_BYTES",
    "TAIL_BINS",
    "NameCounts",
    "bounded_name",
    "is_below",
    "is_identifier",
    "name_hash",
]

MOST_NAMES: Final = 1_000
#: Bytes of UTF-8 of one name; and of all that are kept, with what each takes beside itself: the
#: table of a pane has to fit a message.
MOST_NAME_BYTES: Final = 64
_MOST_BYTES: Final = 3_500
_BESIDE: Final = 7
_HASH_BITS: Final = 64
MOST_HALVINGS: Final = _HASH_BITS
#: Bins of names without one of their own, by the low bits of their hash; names are kept by the high
#: ones. Half as many bins find a name that grows to 2 % in twice the time.
TAIL_BINS: Final = 64
#: The share of values that come once is the chance that the next one is new (Good 1953). From the
#: first on that is worth a word, and beyond the second names say who it is, not what.
MANY_NEW, _MOSTLY_NEW = 0.2, 0.5
#: Of fewer values nothing can be said.
LEAST_VALUES: Final = 30


class NameCounts:
    """A table of names and their counts.

    Attributes
    ----------
    level : int
        How often the bound on hashes was halved.
    counts : dict
        Of the names below the bound: exact, and all of them.
    rests : dict of int to int
        Counts of all other names by their hash's remainder of `TAIL_BINS`.
    """

    def __init__(self) -> None:
        self.level = 0
        self.counts: dict[str, int] = {}
        self.rests: dict[int, int] = {}

    @property
    def rest(self) -> int:
        """Count of all names that are not kept."""
        return sum(self.rests.values())

    @property
    def total(self) -> int:
        """All names counted."""
        return sum(self.counts.values()) + self.rest

    @property
    def distinct(self) -> int:
        """Number of different names; an estimate where not all are kept."""
        return len(self.counts) << self.level

    @property
    def once(self) -> int:
        """Number of names that came once; an estimate where not all are kept."""
        return sum(count == 1 for count in self.counts.values()) << self.level

    def add(self, names: Mapping[str, int]) -> NameCounts:
        """Count names, each bounded by `bounded_name`."""
        for name, count in names.items():
            if self.keeps(name):
                self.counts[name] = self.counts.get(name, 0) + count
            else:
                self._add_rest(name_hash(name) % TAIL_BINS, count)
        self._bound()
        return self

    def merge(self, other: NameCounts) -> NameCounts:
        """Add the counts of another table."""
        self._halve(max(0, other.level - self.level))
        for place, count in other.rests.items():
            self._add_rest(place, count)
        return self.add(other.counts) if other.counts else self

    def keeps(self, name: str) -> bool:
        """Whether this name is one of those that are counted for themselves."""
        return is_below(name_hash(name), self.level) if self.level else True

    def at_level(self, level: int) -> NameCounts:
        """The same counts under a bound halved so often, or oftener already."""
        copy = NameCounts()
        copy.level = level
        return copy.merge(self)

    def _bound(self) -> None:
        while len(self.counts) > MOST_NAMES or _size(self.counts) > _MOST_BYTES:
            self._halve(1)

    def _halve(self, times: int) -> None:
        if times:
            self.level += times
            held, self.counts = self.counts, {}
            for name, count in held.items():
                if self.keeps(name):
                    self.counts[name] = count
                else:
                    self._add_rest(name_hash(name) % TAIL_BINS, count)

    def _add_rest(self, place: int, count: int) -> None:
        self.rests[place] = self.rests.get(place, 0) + count


def is_identifier(once: int, values: int) -> bool:
    """Whether a column is of identifiers: most of its values came once, however many there are."""
    return values >= LEAST_VALUES and once > _MOSTLY_NEW * values


def bounded_name(name: str) -> str:
    """A name itself, or the beginning of a very long one and a hash of all of it."""
    if 4 * len(name) <= MOST_NAME_BYTES:
        return name
    data = _bytes(name)
    if len(data) <= MOST_NAME_BYTES:
        return name
    return f"{data[: MOST_NAME_BYTES - 17].decode(errors='ignore')}#{name_hash(name):016x}"


def _size(counts: Mapping[str, int]) -> int:
    text = "".join(counts)
    return _BESIDE * len(counts) + (len(text) if text.isascii() else len(_bytes(text)))


def _bytes(name: str) -> bytes:
    return name.encode(errors="surrogatepass")


def is_below(hashed: int, level: int) -> bool:
    """Whether a name's hash is below a bound that was halved so often."""
    return hashed >> (_HASH_BITS - level) == 0


def name_hash(name: str) -> int:
    """64 bits of a name: the same on every machine."""
    return int.from_bytes(blake2b(_bytes(name), digest_size=_HASH_BITS // 8).digest(), "big")
