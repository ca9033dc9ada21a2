"""What a reference knows of the parts of a stream: the values of its segments, each by itself.

Parts may always have been unlike each other, so each is compared with its own rows.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.counting.sparse import MAX_COUNT, check_counts, decode_counts, encode_counts
from detectors.references.calibration import Calibration
from detectors.references.json_reader import Place
from detectors.references.segments import Segment, read_segment, written

__all__ = ["LEAST_ROWS_OF_PART", "Part", "SegmentParts", "rounded"]

#: Fewer rows make thresholds that nothing passes.
LEAST_ROWS_OF_PART: Final = 300

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Part:
    """The reference's rows of one part of the stream.

    Attributes
    ----------
    scope : str
        Its name, such as `sex=F`.
    events : int
        Its rows.
    counts : bytes
        Sparse, as `encode_counts` writes them: the bins of all signals of the reference in their
        order, then the cells of outcomes if it has any.
    calibrations : tuple of Calibration
        Of each signal, measured from this part's rows; with a covariance of single precision.
    effects, batches
        Of its outcomes, as of `OutcomeReference`.
    """

    scope: str
    events: int
    counts: bytes
    calibrations: tuple[Calibration, ...]
    effects: tuple[float, float, float] = (1.0, 1.0, 1.0)
    batches: int = 0

    def rearranged(self, width: int, bins: Ints, kept: Sequence[tuple[int, Ints]]) -> Part:
        """The part of a reference with fewer signals, or with bins in another order.

        Parameters
        ----------
        width : int
            Of its counts.
        bins : int64
            Which of its counts each one is of those that stay.
        kept : sequence of (int, int64)
            Of each signal that stays which one it was, and which of its bins each bin was.
        """
        calibrations = tuple(
            replace(self.calibrations[at], groups=self.calibrations[at].groups[order])
            for at, order in kept
        )
        counts = encode_counts(decode_counts(self.counts, width)[bins])
        return replace(self, counts=counts, calibrations=calibrations)

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "scope": self.scope,
            "events": self.events,
            "counts": base64.b64encode(self.counts).decode(),
            "calibrations": [_written(each) for each in self.calibrations],
            "effects": list(self.effects),
            "batches": self.batches,
        }

    @classmethod
    def read(cls, place: Place, n_bins: Sequence[int], cells: int) -> Part:
        """From the document at a place; so many bins the signals have, and outcomes cells."""
        items = place["calibrations"].items()
        if len(items) != len(n_bins):
            place["calibrations"].fail(f"must be {len(n_bins)}; got {len(items)}")
        counts = place["counts"].bytes_of_base64()
        try:
            check_counts(counts, sum(n_bins) + cells, MAX_COUNT)
        except ValueError as error:
            place["counts"].fail(str(error))
        residual, order, group = place["effects"].numbers(length=3).tolist()
        if not min(residual, order, group) >= 1.0:
            place["effects"].fail("must be at least 1")
        return cls(
            place["scope"].text(non_empty=True),
            place["events"].integer(minimum=1),
            counts,
            tuple(_read(item, size) for item, size in zip(items, n_bins, strict=True)),
            (residual, order, group),
            place["batches"].integer(minimum=0),
        )


@dataclass(frozen=True, eq=False)
class SegmentParts:
    """The parts that one segment makes of the reference's rows.

    Attributes
    ----------
    segment : str or tuple of str
    parts : tuple of Part
        Those with counts of their own, most frequent first.
    others : int
        Values that have none: they are too rare, or too many.
    """

    segment: Segment
    parts: tuple[Part, ...]
    others: int = 0

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "segment": written(self.segment),
            "others": self.others,
            "parts": [part.document() for part in self.parts],
        }

    @classmethod
    def read(cls, place: Place, n_bins: Sequence[int], cells: int) -> SegmentParts:
        """From the document at a place."""
        parts = tuple(Part.read(item, n_bins, cells) for item in place["parts"].items())
        if len({part.scope for part in parts}) < len(parts):
            place["parts"].fail("must be of different scopes")
        others = place["others"].integer(minimum=0)
        return cls(read_segment(place["segment"]), parts, others)


def rounded(calibration: Calibration) -> Calibration:
    """With a covariance as a part of a reference keeps it: of single precision."""
    lower = calibration.lower
    if lower is None:
        return calibration
    return replace(calibration, lower=lower.astype(np.float32).astype(np.float64))


def _written(calibration: Calibration) -> dict[str, Any]:
    """A tenth of what the whole's takes: there are many, and nobody reads them."""
    lower = calibration.lower
    measured = {} if lower is None else {
        "batches": calibration.batches,
        "phi_x": calibration.phi_x,
        "phi_y": calibration.phi_y,
        "covariance": base64.b64encode(lower.astype("<f4").tobytes()).decode(),
    }  # fmt: skip
    return {
        "groups": base64.b64encode(calibration.groups.tobytes()).decode(),
        "novel": calibration.novel,
        "phi_novel": calibration.phi_novel,
        **measured,
    }


def _read(place: Place, n_bins: int) -> Calibration:
    groups = np.frombuffer(place["groups"].bytes_of_base64(), np.uint8)
    if groups.size != n_bins or np.unique(groups).size != groups[-1] + 1:
        place["groups"].fail(f"must number groups of {n_bins} bins from 0 without a gap")
    novel, phi = place["novel"].integer(minimum=0), place["phi_novel"].number(minimum=1.0)
    if "batches" not in place.names():
        return Calibration(groups, novel=novel, phi_novel=phi)
    size = int(groups[-1]) + 1
    data = place["covariance"].bytes_of_base64()
    if len(data) != 2 * size * (size + 1):
        place["covariance"].fail(f"must be of {size} groups")
    lower = np.frombuffer(data, "<f4").astype(np.float64)
    if not np.isfinite(lower).all():
        place["covariance"].fail("must be of finite numbers")
    return Calibration(
        groups,
        place["batches"].integer(minimum=2),
        place["phi_x"].number(minimum=1.0),
        place["phi_y"].number(minimum=1.0),
        lower,
        novel,
        phi,
    )
