"""The frozen baseline of one model: binnings, counts and calibration of its signals.

A reference is JSON with a content hash. What is read back is checked; errors name the place in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import Binning, CategoricalBinning, NumericBinning
from detectors.counting.counts import Layout
from detectors.errors import DocumentError, InvalidReferenceError
from detectors.references.calendar import Calendar
from detectors.references.calibration import Calibration
from detectors.references.calibration_document import calibration_document, read_calibration
from detectors.references.canonical import canonical, content_hash
from detectors.references.columns import ColumnMapping
from detectors.references.copies import Copies
from detectors.references.joint import JointTables
from detectors.references.json_reader import Place
from detectors.references.outcome import OutcomeReference
from detectors.references.parts import SegmentParts
from detectors.references.segments import Segment, read_segment
from detectors.references.slots import SignalSlots

__all__ = ["ROLES", "ColumnMapping", "Reference", "SignalReference"]

#: What a signal may be to the model. What that means is in stream/contracts/roles.py.
ROLES: Final = ("feature", "label", "score", "actual", "latency", "error")
#: Those of them that are made of other signals, and those that a column can have.
DERIVED: Final = ("error",)
OF_COLUMNS: Final = tuple(role for role in ROLES if role not in DERIVED)
#: Those that nobody knows before the truth has come: they are not missing until then.
OF_TRUTH: Final = ("actual", "error")
FORMAT: Final = "driftstream.reference.v1"


@dataclass(frozen=True, eq=False)
class SignalReference:
    """One signal. `mean`, `std` and `quantiles` are for display: no decision reads them.

    Attributes
    ----------
    role : str
        feature, score, label, actual, latency, or error: that of the prediction, which is derived.
    counts : int64[n_bins]
        Of the reference's events over `binning`.
    quantiles : dict
        p05, p25, p50, p75, p95 of a numeric signal; empty for a categorical one.
    slots : SignalSlots, optional
        Where the reference has a season: counts by slot.
    """

    name: str
    role: str
    binning: Binning
    counts: npt.NDArray[np.int64]
    calibration: Calibration
    mean: float | None = None
    std: float | None = None
    quantiles: Mapping[str, float] = field(default_factory=dict)
    importance: float = 1.0
    slots: SignalSlots | None = None

    @property
    def kind(self) -> str:
        """Either "numeric" or "categorical"."""
        return self.binning.kind

    @property
    def is_derived(self) -> bool:
        """Whether no column and no event has it: it is made of others."""
        return self.role in DERIVED

    @property
    def effect(self) -> float:
        """Design effect of its shares: so many of its events are worth one independent one."""
        return max(1.0, self.calibration.phi, self.calibration.effect(self.counts))

    @property
    def events(self) -> int:
        """Events that had this signal, missing values included."""
        return int(self.counts.sum())


@dataclass(frozen=True, eq=False)
class Reference:
    """The signals of one model with what is known of their stream.

    Attributes
    ----------
    events : int
        Rows it was fitted on.
    first_ms, last_ms, events_per_week : int
        Of the rows whose times belong together; 0 where they had none.
    time_step_ms : int
        Of times without a finer part: a day for dates; 0 for none, or where it is not known.
    cycle_ms : int
        Length of the stream's season where whole cycles are compared, 0 for none.
    calendar : Calendar, optional
        Slots of the week, each of which is compared with itself.
    ordered : bool
        Whether rows had times, so that dependence could be measured.
    warnings : tuple of str
        What fitting found noteworthy.
    copies : Copies
        How often its events came more than once, and by what events are told apart.
    outcome : OutcomeReference, optional
        Where its rows have prediction and truth: how right they were. Its error is the last signal.
    joint : JointTables, optional
        Where its rows have a prediction or a score: what goes together with it in them.
    parts : tuple of SegmentParts
        Of segments whose values were counted by themselves; a segment is in it once.
    """

    model: str
    version: str
    signals: tuple[SignalReference, ...]
    events: int
    segments: tuple[Segment, ...] = ()
    columns: ColumnMapping = field(default_factory=ColumnMapping)
    cycle_ms: int = 0
    ordered: bool = False
    first_ms: int = 0
    last_ms: int = 0
    events_per_week: int = 0
    time_step_ms: int = 0
    warnings: tuple[str, ...] = ()
    calendar: Calendar | None = None
    copies: Copies = field(default_factory=Copies)
    outcome: OutcomeReference | None = None
    joint: JointTables | None = None
    parts: tuple[SegmentParts, ...] = ()

    @property
    def protected(self) -> tuple[Segment, ...]:
        """Columns by whose values outcomes are counted."""
        return () if self.outcome is None else tuple(p.column for p in self.outcome.protected)

    def layout(self) -> Layout:
        """Where the bins of all signals are in a flat vector."""
        return Layout({signal.name: signal.binning for signal in self.signals})

    @cached_property
    def hash(self) -> str:
        """`sha256:...` of the content: the same content has the same hash on every machine."""
        return content_hash(_document(self))

    def to_json(self) -> bytes:
        """Canonical JSON: the same reference gives the same bytes."""
        return canonical({**_document(self), "hash": self.hash})

    @classmethod
    def from_json(cls, data: bytes | str, source: str = "reference") -> Reference:
        """Read and check a reference.

        Raises
        ------
        InvalidReferenceError
            Naming `source`, the place in it, what is there and what may be.
        """
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:  # the latter: nested without end
            raise InvalidReferenceError(f"{source} is not JSON: {error!s:.600}") from None
        try:
            there = (reference := _read(Place(document, ""))).hash
        except DocumentError as error:
            raise InvalidReferenceError(f"{source}: {error!s:.600}") from None
        except UnicodeEncodeError as error:  # half of a surrogate pair
            raise InvalidReferenceError(
                f"{source}: a name is no Unicode text: {error.reason}."
            ) from None
        if (said := document.get("hash")) != there:
            raise InvalidReferenceError(
                f"{source}: hash must be {there} for this content; got {str(said)[:100]!r}. "
                "The file was changed after it was fitted: fit it again."
            )
        return reference


def _document(reference: Reference) -> dict[str, Any]:
    """All fields as plain values; floats keep every bit, since JSON writes their repr."""
    return {
        "format": FORMAT,
        "model": reference.model,
        "version": reference.version,
        "events": reference.events,
        "segments": list(reference.segments),
        "columns": reference.columns.document(),
        "cycle_ms": reference.cycle_ms,
        "ordered": reference.ordered,
        "first_ms": reference.first_ms,
        "last_ms": reference.last_ms,
        "events_per_week": reference.events_per_week,
        **({"time_step_ms": reference.time_step_ms} if reference.time_step_ms else {}),
        **({} if reference.calendar is None else {"calendar": reference.calendar.document()}),
        "warnings": list(reference.warnings),
        **({"copies": reference.copies.document()} if reference.copies != Copies() else {}),
        **({} if reference.outcome is None else {"outcome": reference.outcome.document()}),
        **({} if reference.joint is None else {"joint": reference.joint.document()}),
        **({"parts": [each.document() for each in reference.parts]} if reference.parts else {}),
        "signals": [_signal_document(signal) for signal in reference.signals],
    }


def _signal_document(signal: SignalReference) -> dict[str, Any]:
    binning = signal.binning
    bins: dict[str, Any]
    if isinstance(binning, NumericBinning):
        bins = {"kind": "numeric", "edges": binning.edges.tolist()}
    else:
        bins = {
            "kind": "categorical",
            "categories": list(binning.categories),
            "others": list(binning.others),
            **({"tail": binning.tail} if binning.tail > 1 else {}),
            **({"places": list(binning.places)} if binning.places else {}),
            **({"halvings": binning.halvings} if binning.halvings else {}),
        }
    return {
        "name": signal.name,
        "role": signal.role,
        "importance": signal.importance,
        "binning": bins,
        "counts": signal.counts.tolist(),
        "calibration": calibration_document(signal.calibration),
        **({} if signal.slots is None else {"slots": signal.slots.document()}),
        "mean": signal.mean,
        "std": signal.std,
        "quantiles": dict(signal.quantiles),
    }


def _read(root: Place) -> Reference:
    if (found := root["format"].text()) != FORMAT:
        root["format"].fail(f"must be {FORMAT}; got {found!r}. Fit it again with this version")
    calendar = Calendar.read(root["calendar"]) if "calendar" in root.names() else None
    slots = 0 if calendar is None else calendar.slots
    signals = tuple(_read_signal(place, slots) for place in root["signals"].items(min_items=1))
    names = [signal.name for signal in signals]
    for i, name in enumerate(names):
        if name in names[:i]:
            root["signals"][i]["name"].fail(f"must be unique; got {name!r} again")
    for i, signal in enumerate(signals[:-1]):
        if signal.role == "error":
            root["signals"][i]["role"].fail("error must be that of the last signal")
    outcome = None
    if "outcome" in root.names():
        binnings = {signal.name: signal.binning for signal in signals}
        outcome = OutcomeReference.read(root["outcome"], binnings)
    joint = None
    if "joint" in root.names():
        joint = JointTables.read(
            root["joint"],
            {signal.name: signal.binning.n_bins for signal in signals},
            {signal.name: int(signal.calibration.groups.max()) + 1 for signal in signals},
            outcomes=outcome is not None,
        )
    parts: tuple[SegmentParts, ...] = ()
    if "parts" in root.names():
        n_bins = [signal.binning.n_bins for signal in signals]
        cells = 0 if outcome is None else outcome.cells.width
        parts = tuple(SegmentParts.read(item, n_bins, cells) for item in root["parts"].items())
        if len({each.segment for each in parts}) < len(parts):
            root["parts"].fail("must be of different segments")
    return Reference(
        model=root["model"].text(non_empty=True),
        version=root["version"].text(),
        signals=signals,
        events=root["events"].integer(minimum=1),
        segments=tuple(map(read_segment, root["segments"].items())),
        columns=ColumnMapping.read(root["columns"]),
        cycle_ms=root["cycle_ms"].integer(minimum=0),
        ordered=root["ordered"].boolean(),
        first_ms=root["first_ms"].integer(),
        last_ms=root["last_ms"].integer(),
        events_per_week=root["events_per_week"].integer(minimum=0),
        time_step_ms=root["time_step_ms"].integer(minimum=0)
        if "time_step_ms" in root.names()
        else 0,
        warnings=tuple(place.text() for place in root["warnings"].items()),
        calendar=calendar,
        copies=Copies.read(root["copies"]) if "copies" in root.names() else Copies(),
        outcome=outcome,
        joint=joint,
        parts=parts,
    )


def _read_signal(place: Place, slots: int) -> SignalReference:
    binning = _read_binning(place["binning"])
    counts = place["counts"].integers(length=binning.n_bins, minimum=0)
    quantiles = place["quantiles"]
    return SignalReference(
        name=place["name"].text(non_empty=True),
        role=place["role"].is_one_of(ROLES),
        binning=binning,
        counts=counts,
        calibration=read_calibration(place["calibration"], binning.n_bins),
        mean=place["mean"].number_or_null(),
        std=place["std"].number_or_null(),
        quantiles={name: quantiles[name].number() for name in quantiles.names()},
        importance=place["importance"].number(minimum=0.0),
        slots=SignalSlots.read(place["slots"], slots, counts) if slots else None,
    )


def _read_binning(place: Place) -> Binning:
    if place["kind"].is_one_of(("numeric", "categorical")) == "categorical":
        categories = tuple(item.text() for item in place["categories"].items())
        others = tuple(item.text() for item in place["others"].items())
        there = place.names()
        tail = place["tail"].integer(minimum=1) if "tail" in there else 1
        in_order = (
            place["places"].integers(length=len(others), minimum=0) if "places" in there else ()
        )
        places = tuple(int(at) for at in in_order)
        halvings = place["halvings"].integer(minimum=0) if "halvings" in there else 0
        try:
            return CategoricalBinning(categories, others, tail, places, halvings)
        except ValueError as error:
            place.fail(str(error), of_member=True)
    try:
        return NumericBinning(place["edges"].numbers())
    except ValueError as error:
        if isinstance(error, DocumentError):
            raise
        place.fail(str(error), of_member=True)
