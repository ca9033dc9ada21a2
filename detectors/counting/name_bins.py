"""Frozen maps from names to bins.

The most frequent names of a reference have a bin each. All others, known or never seen, are dealt
to tail bins by a hash, so that one of a thousand that takes over stands out in its bin; counts of
bins add up to the same in any order and from any partition into parts, as no list of the most
frequent names of a stream does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from detectors.counting.category_sketch import MOST_HALVINGS, TAIL_BINS, is_below, name_hash
from detectors.counting.meaning import category_text

__all__ = [
    "MAX_CATEGORIES",
    "MAX_OTHERS",
    "TAIL_CELLS",
    "CategoricalBinning",
    "choose_categories",
]

#: Categories with a bin of their own.
MAX_CATEGORIES: Final = 62
#: Known names beyond those; more are forgotten and count as unseen.
MAX_OTHERS: Final = 10_000
#: Tail bins are a multiple of this, so that cells of names are made of whole bins.
TAIL_CELLS: Final = 8
#: Names that came fewer times than this stand out by chance only.
_LEAST_OWN: Final = 20
_BOOLEANS: Final = ("false", "true")
_BITS: Final = ("0", "1")
_LOTS: Final = 2**32


@dataclass(frozen=True, eq=False)
class CategoricalBinning:
    """Bins of names: `[categories..., tail..., unseen..., missing, invalid]`.

    Attributes
    ----------
    categories : tuple of str
        Names with a bin each, most frequent first.
    others : tuple of str
        Known names that share the tail bins.
    tail : int
        Number of tail bins, and of those of names that the reference does not have: 1 where every
        known name has a bin of its own.
    places : tuple of int
        Tail bin of each of `others` where it does not follow from the name, as of hashed ones.
    halvings : int
        If names were learned, and not all were kept: whether one beyond a bound on hashes, halved
        so often, is new cannot be known.

    Raises
    ------
    ValueError
        If names are too many or there twice, or `tail`, `places` or `halvings` do not fit them.
    """

    categories: tuple[str, ...]
    others: tuple[str, ...] = ()
    tail: int = 1
    places: tuple[int, ...] = ()
    halvings: int = 0
    kind: ClassVar[str] = "categorical"

    def __post_init__(self) -> None:
        if len(self.categories) > MAX_CATEGORIES:
            raise ValueError(
                f"categories must be at most {MAX_CATEGORIES}; got {len(self.categories)}."
            )
        if len(set(self.categories) | set(self.others)) != len(self.categories) + len(self.others):
            raise ValueError("categories and others must name each category once.")
        if self.tail != 1 and (not 0 < self.tail <= TAIL_BINS or self.tail % TAIL_CELLS):
            raise ValueError(
                f"tail must be 1 or a multiple of {TAIL_CELLS} up to {TAIL_BINS}; got {self.tail}."
            )
        if self.places and len(self.places) != len(self.others):
            raise ValueError(
                f"places must be as many as others, {len(self.others)}; got {len(self.places)}."
            )
        if not 0 <= self.halvings <= MOST_HALVINGS:
            raise ValueError(f"halvings must be 0 to {MOST_HALVINGS}; got {self.halvings}.")
        if self.places and not 0 <= min(self.places) <= max(self.places) < self.tail:
            raise ValueError(f"places must be 0 to {self.tail - 1}.")

    @property
    def other(self) -> int:
        """The first bin of the known names without a bin of their own."""
        return len(self.categories)

    @property
    def unseen(self) -> int:
        """The first bin of names that the reference does not have."""
        return len(self.categories) + self.tail

    @property
    def missing(self) -> int:
        """Bin of missing values."""
        return len(self.categories) + 2 * self.tail

    @property
    def invalid(self) -> int:
        """Bin of values of a wrong type."""
        return self.missing + 1

    @property
    def n_bins(self) -> int:
        """Length of a vector of counts over this binning."""
        return self.missing + 2

    @property
    def new(self) -> npt.NDArray[np.int64]:
        """All bins of names that the reference does not have."""
        return np.arange(self.unseen, self.missing)

    def place(self, name: str) -> int:
        """Which of the tail bins a name falls into."""
        return name_hash(name) % self.tail if self.tail > 1 else 0

    @cached_property
    def code(self) -> dict[str, int]:
        """Name to bin; what is not in it is unseen."""
        places = self.places or tuple(map(self.place, self.others))
        code = {name: b for b, name in enumerate(self.categories)}
        code.update(
            (name, self.other + place) for name, place in zip(self.others, places, strict=True)
        )
        return code

    def bin_of_unknown(self, name: str) -> int:
        """Bin of a name that is not in `code`."""
        if self.tail == 1 and not self.halvings:
            return self.unseen
        hashed = name_hash(name)
        first = self.unseen if is_below(hashed, self.halvings) else self.other
        return first + hashed % self.tail

    def bin(self, name: str) -> int:
        """Bin of a name."""
        known = self.code.get(name)
        return self.bin_of_unknown(name) if known is None else known

    @cached_property
    def bins_of_names(self) -> dict[str, int]:
        """`code`, and what means the same: true is 1 and false 0 where a signal has only two."""
        code = self.code
        for ours, theirs in ((_BOOLEANS, _BITS), (_BITS, _BOOLEANS)):
            if code and code.keys() <= set(ours):
                same = zip(ours, theirs, strict=True)
                return code | {name: code[mine] for mine, name in same if mine in code}
        return code

    @classmethod
    def of(
        cls, counts: Mapping[str, int], most: int = MAX_CATEGORIES, *, halvings: int = 0
    ) -> CategoricalBinning:
        """Bins for names with these counts."""
        categories, others = choose_categories(counts, most)
        return cls(categories, others, TAIL_BINS if others or halvings else 1, (), halvings)

    @classmethod
    def fit(
        cls, values: Iterable[object], max_categories: int = MAX_CATEGORIES
    ) -> CategoricalBinning:
        """The most frequent names, as `choose_categories` has them."""
        tally = Counter(text for v in values if (text := category_text(v)) is not None)
        return cls.of(tally, max_categories)

    def label(self, b: int) -> str:
        """A bin in words."""
        if b < self.other:
            return self.categories[b]
        if b >= self.missing:
            return "missing" if b == self.missing else "wrong type"
        what, place = ("other", b - self.other) if b < self.unseen else ("unseen", b - self.unseen)
        return what if self.tail == 1 else f"{what} {place + 1}"


def choose_categories(
    counts: Mapping[str, int], most: int = MAX_CATEGORIES
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names with a bin of their own, most frequent first, and the others that are known.

    Where many names are about as frequent, those that came out on top did so by chance, and later
    windows would show less of all of them and more of the others. So of the names whose counts are
    within three standard deviations of the last one's, a hash chooses. Where the last one came
    fewer than 20 times, whoever reached such a band did so by chance: only those above it.
    """
    ranked = sorted(counts, key=lambda name: (-counts[name], name))[: most + MAX_OTHERS]
    if len(ranked) <= most:
        return tuple(ranked), ()
    last = counts[ranked[most - 1]]
    cut = max(last, _LEAST_OWN)
    margin = 3.0 * math.sqrt(cut)
    sure = [name for name in ranked if counts[name] > cut + margin]
    tied = [name for name in ranked[len(sure) :] if counts[name] >= cut - margin]
    drawn = sorted(tied, key=_lot) if last >= _LEAST_OWN else []
    chosen = {*sure, *drawn[: most - len(sure)]}
    categories = tuple(name for name in ranked if name in chosen)
    return categories, tuple(sorted(name for name in ranked if name not in chosen))


def _lot(name: str) -> int:
    """A number drawn by a name: of bits that neither tail bins nor samples of names go by."""
    return (name_hash(name) >> 8) % _LOTS
