"""How each feature goes together with what the model said, and with its errors, in the rows.

Nothing of this is counted in a stream: it says what a feature's new distribution would do to the
predictions if each of its values went on meaning what it meant in the reference.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.counting.sparse import MAX_COUNT
from detectors.references.json_reader import Place

__all__ = ["FeatureTable", "JointTables"]

Ints = npt.NDArray[np.int64]
_WIDTHS: Final = (1, 2, 4, 8)


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Rows of the reference by bin of one feature.

    A worker holds a table for each feature of each model, so they are of the smallest unsigned
    integers that hold them: calculate with `astype(np.int64)`.

    Attributes
    ----------
    counts : unsigned[n_bins, groups]
        By the group that what the model said is in.
    errors : unsigned[n_bins, 2] or None
        Rows whose truth is known, and their errors: how many are wrong, or of a regression the sum
        of the errors' sizes in its unit. None where the reference has no outcomes.
    """

    counts: npt.NDArray[Any]
    errors: npt.NDArray[Any] | None = None

    @classmethod
    def of(cls, counts: Ints, errors: Ints | None) -> FeatureTable:
        """The table of such counts, none of which is below 0."""
        return cls(_narrow(counts), None if errors is None else _narrow(errors))

    def reordered(self, bins: Ints) -> FeatureTable:
        """The table of a feature whose bin i was bin `bins[i]` before."""
        return FeatureTable(self.counts[bins], None if self.errors is None else self.errors[bins])


@dataclass(frozen=True, eq=False)
class JointTables:
    """Tables of the features of one reference.

    Attributes
    ----------
    said : str
        Name of the signal that is what the model said: its score, or else its prediction. It is
        counted in the coarse bins of that signal's calibration.
    features : mapping of str to FeatureTable
    left_out : int
        Features without a table, because too many others go together with it more closely.
    """

    said: str
    features: Mapping[str, FeatureTable]
    left_out: int = 0

    def document(self) -> dict[str, Any]:
        """As plain values: tables row by row, in Base64 of little-endian integers."""
        return {
            "said": self.said,
            "left_out": self.left_out,
            "features": {
                name: {
                    "counts": _text(table.counts),
                    **({} if table.errors is None else {"errors": _text(table.errors)}),
                }
                for name, table in self.features.items()
            },
        }

    @classmethod
    def read(
        cls, place: Place, n_bins: Mapping[str, int], groups: Mapping[str, int], *, outcomes: bool
    ) -> JointTables:
        """From the document at a place, checked against bins and coarse bins of the signals."""
        said = place["said"].is_one_of(tuple(groups))
        features = {}
        for name in place["features"].names():
            table = place["features"][name]
            if name not in n_bins:
                table.fail("is of no signal of the reference")
            bins = n_bins[name]
            counts = _read(table["counts"], (bins, groups[said]))
            errors = None
            if "errors" in table.names():
                if not outcomes:
                    table["errors"].fail("are of outcomes, which the reference does not have")
                errors = _read(table["errors"], (bins, 2))
            features[name] = FeatureTable(counts, errors)
        return cls(said, features, place["left_out"].integer(minimum=0))

    def without(self, names: frozenset[str]) -> JointTables | None:
        """The tables without those of some signals; None where nothing is left to be said."""
        features = {name: table for name, table in self.features.items() if name not in names}
        if self.said in names or not features:
            return None
        return JointTables(self.said, features, self.left_out)

    def reordered(self, orders: Mapping[str, Ints]) -> JointTables:
        """The tables where bin i of some features was bin `orders[feature][i]` before."""
        features = {
            name: table.reordered(orders[name]) if name in orders else table
            for name, table in self.features.items()
        }
        return JointTables(self.said, features, self.left_out)

    def without_errors(self) -> JointTables:
        """The tables of a reference that is to have no outcomes."""
        features = {name: FeatureTable(table.counts) for name, table in self.features.items()}
        return JointTables(self.said, features, self.left_out)


def _narrow(table: Ints) -> npt.NDArray[Any]:
    return table.astype(np.min_scalar_type(int(table.max(initial=0))))


def _text(table: npt.NDArray[Any]) -> str:
    return base64.b64encode(table.astype(table.dtype.newbyteorder("<")).tobytes()).decode()


def _read(place: Place, shape: tuple[int, int]) -> npt.NDArray[Any]:
    """A table of this shape; how wide its integers are follows from how much there is."""
    data = place.bytes_of_base64()
    cells = shape[0] * shape[1]
    width, rest = divmod(len(data), cells)
    if rest or width not in _WIDTHS:
        place.fail(f"must be {cells} integers of 1, 2, 4 or 8 bytes; got {len(data)} bytes")
    table = np.frombuffer(data, f"<u{width}").astype(f"=u{width}").reshape(shape)
    if int(table.sum(dtype=np.float64)) > MAX_COUNT:
        place.fail(f"holds more than {MAX_COUNT}")
    return table
