"""Counts of a pane where no reference exists yet: log bins of numbers and tables of names.

A sketch is a function of the multiset of events it counted: the same for any order, any partition
into parts and any cumulative growth. It is bounded: `MAX_SIGNALS` signals, whose bins and names
are bounded by their own caps, so that every sketch fits a message.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Annotated, Final

import msgspec
import numpy as np

from detectors.counting.category_sketch import (
    MOST_HALVINGS,
    MOST_NAME_BYTES,
    MOST_NAMES,
    TAIL_BINS,
    NameCounts,
)
from detectors.counting.log_histogram import LAST_KEY, MOST_BINS, MOST_LEVELS, LogCounts
from detectors.counting.sparse import decode_sparse, encode_sparse

__all__ = ["GROUPS", "MAX_PLACE_BYTES", "MAX_SIGNALS", "SignalSketch", "Sketch", "least"]

#: Members of an event that hold signals. A signal's place is its member, or member.key.
GROUPS: Final = ("features", "prediction", "actual", "latency_seconds")
#: A message takes 1 MB: so many signals of 512 bins and 3,500 bytes of names are below it, whatever
#: is sent.
MAX_SIGNALS: Final = 128
MAX_PLACE_BYTES: Final = 200

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**48)]


@dataclass(slots=True)
class SignalSketch:
    """What came of one signal: numbers, names, and values that are neither or of a wrong type.

    Missing values are not in it: they are the events that have the signal's group and none of it.
    """

    numbers: LogCounts = field(default_factory=LogCounts)
    names: NameCounts = field(default_factory=NameCounts)
    invalid: int = 0

    @property
    def present(self) -> int:
        """Values that are not missing."""
        return self.numbers.numbers + self.names.total + self.invalid

    def merge(self, other: SignalSketch) -> SignalSketch:
        """Add the counts of another."""
        self.numbers.merge(other.numbers)
        self.names.merge(other.names)
        self.invalid += other.invalid
        return self

    def covers(self, other: SignalSketch) -> bool:
        """Whether this may be a later state of the other: nothing of it is less."""
        if self.numbers.level < other.numbers.level or self.names.level < other.names.level:
            return False
        was = other.numbers.at_level(self.numbers.level)
        now = dict(zip(self.numbers.keys.tolist(), self.numbers.counts.tolist(), strict=True))
        names = other.names.at_level(self.names.level)
        return (
            all(
                n <= now.get(k, 0)
                for k, n in zip(was.keys.tolist(), was.counts.tolist(), strict=True)
            )
            and all(n <= self.names.counts.get(name, 0) for name, n in names.counts.items())
            and all(n <= self.names.rests.get(place, 0) for place, n in names.rests.items())
            and was.zero <= self.numbers.zero
            and other.invalid <= self.invalid
        )


class _Signal(msgspec.Struct, array_like=True, gc=False):
    place: Annotated[str, msgspec.Meta(max_length=MAX_PLACE_BYTES)]
    level: Annotated[int, msgspec.Meta(ge=0, le=MOST_LEVELS)]
    zero: _Count
    bins: bytes
    halvings: Annotated[int, msgspec.Meta(ge=0, le=MOST_HALVINGS)]
    rests: bytes
    names: Annotated[dict[str, _Count], msgspec.Meta(max_length=MOST_NAMES)]
    invalid: _Count


class _Wire(msgspec.Struct, array_like=True, tag="k2"):
    events: _Count
    groups: tuple[_Count, _Count, _Count, _Count]
    more: bool
    signals: Annotated[list[_Signal], msgspec.Meta(max_length=MAX_SIGNALS)]


_DECODER: Final = msgspec.msgpack.Decoder(_Wire)


@dataclass(slots=True)
class Sketch:
    """What came in one pane, or in several.

    Attributes
    ----------
    events : int
    groups : list of 4 int
        Events that have each of `GROUPS`.
    signals : dict of place to SignalSketch
        Those of the least hash, where there are more than `MAX_SIGNALS`; `more` says so.
    """

    events: int = 0
    groups: list[int] = field(default_factory=lambda: [0] * len(GROUPS))
    more: bool = False
    signals: dict[str, SignalSketch] = field(default_factory=dict)

    def at(self, place: str) -> SignalSketch:
        """The signal at this place, made at first sight; `bound` afterwards."""
        found = self.signals.get(place)
        if found is None:
            found = self.signals[place] = SignalSketch()
        return found

    def bound(self) -> None:
        """Forget the signals of largest hash that are too many."""
        if len(self.signals) > MAX_SIGNALS:
            self.more = True
            self.signals = {place: self.signals[place] for place in least(self.signals)}

    def merge(self, other: Sketch) -> Sketch:
        """Add the counts of another sketch."""
        self.events += other.events
        self.groups = [a + b for a, b in zip(self.groups, other.groups, strict=True)]
        self.more = self.more or other.more
        for place, signal in other.signals.items():
            self.at(place).merge(signal)
        self.bound()
        return self

    def missing(self, place: str) -> int:
        """Events that have the group of this signal, and no value of it."""
        found = self.signals.get(place)
        group = GROUPS.index(place.partition(".")[0])
        return self.groups[group] - (0 if found is None else found.present)

    def covers(self, other: Sketch) -> bool:
        """Whether this may be a later state of the other: nothing of it is less."""
        return (
            other.events <= self.events
            and all(a <= b for a, b in zip(other.groups, self.groups, strict=True))
            and self.more >= other.more
            and all(
                self.signals[place].covers(signal) if place in self.signals else self.more
                for place, signal in other.signals.items()
            )
        )

    def encode(self) -> bytes:
        """The sketch as bytes: equal sketches give equal bytes."""
        signals = [
            _Signal(
                place,
                signal.numbers.level,
                signal.numbers.zero,
                encode_sparse(signal.numbers.keys + (LAST_KEY + 1), signal.numbers.counts),
                signal.names.level,
                _encoded(signal.names.rests),
                dict(sorted(signal.names.counts.items())),
                signal.invalid,
            )
            for place, signal in sorted(self.signals.items())
        ]
        groups = (self.groups[0], self.groups[1], self.groups[2], self.groups[3])
        return msgspec.msgpack.encode(_Wire(self.events, groups, self.more, signals))

    @classmethod
    def decode(cls, data: bytes) -> Sketch:
        """Inverse of `encode`.

        Raises
        ------
        ValueError
            If the bytes are no sketch within the bounds.
        """
        try:
            wire = _DECODER.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"not a sketch: {error!s:.300}") from None
        signals = {signal.place: _signal(signal) for signal in wire.signals}
        if len(signals) != len(wire.signals):
            raise ValueError("not a sketch: it has a signal twice")
        sketch = cls(wire.events, list(wire.groups), wire.more, signals)
        for place in signals:
            if place.partition(".")[0] not in GROUPS or sketch.missing(place) < 0:
                raise ValueError("not a sketch: a signal has no group, or more values than events")
        if max(sketch.groups) > sketch.events:
            raise ValueError("not a sketch: a group is in more events than there are")
        return sketch

    @classmethod
    def total(cls, parts: Iterable[bytes]) -> Sketch:
        """The sum of encoded sketches."""
        whole = cls()
        for part in parts:
            whole.merge(cls.decode(part))
        return whole


def _encoded(rests: dict[int, int]) -> bytes:
    if not rests:
        return b""
    places = sorted(rests)
    return encode_sparse(np.array(places, np.int64), np.array([rests[p] for p in places], np.int64))


def _signal(wire: _Signal) -> SignalSketch:
    numbers, names = LogCounts(), NameCounts()
    positions, counts = decode_sparse(wire.bins, MOST_BINS, 2 * (LAST_KEY + 1))
    keys = positions - (LAST_KEY + 1)
    if keys.size and (
        counts.max() > 2**48 or np.where(keys < 0, ~keys, keys).max() > LAST_KEY >> wire.level
    ):
        raise ValueError("not a sketch: a bin or its count is out of bounds")
    numbers.level, numbers.zero, numbers.keys, numbers.counts = wire.level, wire.zero, keys, counts
    if any(len(name) > MOST_NAME_BYTES for name in wire.names):
        raise ValueError(f"not a sketch: a name is longer than {MOST_NAME_BYTES} bytes")
    names.level, names.counts = wire.halvings, wire.names
    if wire.rests:
        places, rests = decode_sparse(wire.rests, TAIL_BINS, TAIL_BINS)
        if rests.max() > 2**48:
            raise ValueError("not a sketch: a count of names is out of bounds")
        names.rests = dict(zip(places.tolist(), rests.tolist(), strict=True))
    return SignalSketch(numbers, names, wire.invalid)


def least(places: Iterable[str]) -> list[str]:
    """Those places that a sketch keeps of too many."""
    return sorted(places, key=_hash)[:MAX_SIGNALS]


def _hash(place: str) -> bytes:
    return blake2b(place.encode(errors="surrogatepass"), digest_size=8).digest()
