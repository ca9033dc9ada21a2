"""From sketches of a stream to a reference, and from later sketches to counts over its bins.

Learning has two halves. In the first, a `Sketch` of all panes finds the signals, their kinds and
their bins. In the second, counts over these bins in batches show how the stream varies by itself,
and how often values come that the first half did not have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors import Layout, NumericBinning, Reference, SignalReference
from detectors.counting.category_sketch import MANY_NEW, is_identifier
from detectors.counting.project import (
    count_names,
    count_numbers,
    learn_categories,
    learn_edges,
    moments,
    widen,
)
from detectors.references.calibration import calibrate
from stream.contracts.roles import OUTPUTS, place_of
from stream.plans.plan import LearningPlan
from stream.sketches.sketch import GROUPS, SignalSketch, Sketch
from stream.text.durations import WEEK_MS

__all__ = ["LearnedReference", "LearnedSignal", "begin_reference", "finish_reference"]

#: Role of signals that are no features, by their place.
_ROLE_AT: Final = {role.path: role.name for role in OUTPUTS}

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LearnedSignal:
    """One signal: its place in events, its bins, and the sketch by which later ones are read."""

    place: str
    signal: SignalReference
    basis: SignalSketch

    def count(self, sketch: Sketch) -> Ints:
        """Counts of a sketch over the signal's bins."""
        binning = self.signal.binning
        values = sketch.signals.get(self.place)
        if values is None:
            counts = np.zeros(binning.n_bins, np.int64)
            if sketch.more:  # it may be one of those the sketch had no room for
                return counts
            values = SignalSketch()
        if isinstance(binning, NumericBinning):
            counts = count_numbers(binning, values.numbers, self.basis.numbers)
            counts[binning.invalid] += values.names.total
        else:
            counts = count_names(binning, values.names, self.signal.counts)
            counts[binning.invalid] += values.numbers.numbers
        counts[binning.invalid] += values.invalid
        counts[binning.missing] += sketch.missing(self.place)
        return counts


class LearnedReference:
    """All signals of a model, once their bins are known.

    Attributes
    ----------
    learned_signals : tuple of LearnedSignal
    layout : Layout
        The bins of all signals, in that order.
    """

    def __init__(self, learned_signals: Sequence[LearnedSignal]) -> None:
        self.learned_signals = tuple(learned_signals)
        self.layout = Layout(
            {each.signal.name: each.signal.binning for each in self.learned_signals}
        )

    @property
    def signals(self) -> tuple[SignalReference, ...]:
        """The signals in the order of the layout."""
        return tuple(each.signal for each in self.learned_signals)

    def counts(self, sketch: Sketch) -> Ints:
        """Counts of a sketch over the layout, int64[width]."""
        counts = np.zeros(self.layout.width, np.int64)
        counts[0] = sketch.events
        for i, each in enumerate(self.learned_signals):
            counts[self.layout.slice(i)] = each.count(sketch)
        return counts

    def dump(self) -> tuple[list[str], bytes]:
        """Places and sketches, which a `Reference` does not hold; `load` is the inverse."""
        largest = max((each.basis.present for each in self.learned_signals), default=0)
        by_place = {each.place: each.basis for each in self.learned_signals}
        basis = Sketch(largest, [largest] * len(GROUPS), signals=by_place)
        return [each.place for each in self.learned_signals], basis.encode()

    @classmethod
    def load(cls, reference: Reference, state: tuple[list[str], bytes]) -> LearnedReference:
        """The learned reference that became this `Reference`."""
        places, basis = state[0], Sketch.decode(state[1])
        pairs = zip(places, reference.signals, strict=True)
        return cls([LearnedSignal(place, signal, basis.signals[place]) for place, signal in pairs])


def begin_reference(plan: LearningPlan, first: Sketch) -> LearnedReference:
    """Signals and bins from the first half of what is learned from."""
    learned_signals = []
    for place, name, role, kind in _signals(plan, first):
        values = first.signals.get(place) or SignalSketch()
        binning = (
            learn_edges(values.numbers) if kind == "numeric" else learn_categories(values.names)
        )
        none = np.zeros(binning.n_bins, np.int64)
        empty = SignalReference(name, role, binning, none, calibrate(binning, none, 0))
        counts = LearnedSignal(place, empty, values).count(first)
        learned_signals.append(LearnedSignal(place, replace(empty, counts=counts), values))
    return LearnedReference(learned_signals)


def _signals(plan: LearningPlan, sketch: Sketch) -> Iterator[tuple[str, str, str, str]]:
    """(place, name, role, kind) of the signals to monitor."""
    declared = plan.learn.signals
    if declared:
        for name, declaration in declared.items():
            if plan.options(name).monitor:
                place = place_of(name, declaration.role)
                values = sketch.signals.get(place) or SignalSketch()
                yield (
                    place,
                    name,
                    declaration.role,
                    _kind(values) if declaration.kind == "auto" else declaration.kind,
                )
        return
    taken = set()
    # Features first: their names are the user's.
    for place in sorted(sketch.signals, key=lambda p: (GROUPS.index(p.partition(".")[0]), p)):
        values = sketch.signals[place]
        role = _ROLE_AT.get(place, "feature")
        name = place.partition(".")[2] if role == "feature" else role
        kind = _kind(values)
        if not name or (role == "feature" and kind == "categorical" and _is_identifier(values)):
            continue
        while name in taken:
            name = f"_{name}"
        taken.add(name)
        yield place, name, role, kind


def _kind(values: SignalSketch) -> str:
    return "numeric" if values.numbers.numbers >= values.names.total else "categorical"


def _is_identifier(values: SignalSketch) -> bool:
    return is_identifier(values.names.once, values.names.total)


def finish_reference(
    plan: LearningPlan,
    learned: LearnedReference,
    whole: Sketch,
    table: Ints,
    *,
    first_ms: int,
    last_ms: int,
) -> tuple[LearnedReference, Reference]:
    """The learned reference with its final bins, and the `Reference` made of it.

    Parameters
    ----------
    plan, learned
        What `begin_reference` took and gave.
    whole : Sketch
        Of both halves.
    table : int64[batches, width]
        Counts over the layout of `learned` in the second half, in the order of time.
    first_ms, last_ms : int
        Event time of the beginning and the end of both halves.
    """
    learned_signals = []
    warnings = []
    importance = 1.0 / max(1, len(learned.learned_signals))
    for i, each in enumerate(learned.learned_signals):
        done = _finished(each, whole, table[:, learned.layout.slice(i)])
        learned_signals.append(replace(done, signal=replace(done.signal, importance=importance)))
        names = (whole.signals.get(each.place) or SignalSketch()).names
        if done.signal.kind == "categorical" and names.once > MANY_NEW * names.total:
            warnings.append(
                f"{done.signal.name}: about one event in {round(names.total / names.once)} has a "
                "name never seen before, which is no finding"
            )
    if whole.more:
        warnings.append(
            "events have more signals than are learned; declare them, or fit a reference"
        )
    final = LearnedReference(learned_signals)
    warnings += _left_out(plan, final, whole)
    events = whole.events
    reference = Reference(
        model=plan.model,
        version="" if plan.version == "*" else plan.version,
        signals=final.signals,
        events=max(1, events),
        segments=plan.segments,
        cycle_ms=plan.cycle_ms,
        ordered=True,
        first_ms=first_ms,
        last_ms=last_ms,
        events_per_week=events * WEEK_MS // max(1, last_ms - first_ms),
        warnings=tuple(warnings),
    )
    return final, reference


def _left_out(plan: LearningPlan, learned: LearnedReference, whole: Sketch) -> list[str]:
    """Why signals that came are not monitored."""
    known = {each.place for each in learned.learned_signals}
    late = [
        f"{name}: came only in the second half, and is not watched. A changed plan learns anew"
        for place, name, _, _ in _signals(plan, whole)
        if place not in known
    ]
    identifiers = [
        f"{place.partition('.')[2]}: left out: about {values.names.distinct:,} different names, so "
        "an identifier"
        for place, values in sorted(whole.signals.items())
        if place not in known and not plan.learn.signals and _is_identifier(values)
    ]
    return late + identifiers


def _finished(each: LearnedSignal, whole: Sketch, table: Ints) -> LearnedSignal:
    """One signal with bins for what only the second half had, its counts and its calibration."""
    signal, binning = each.signal, each.signal.binning
    values = whole.signals.get(each.place) or SignalSketch()
    rows = table[table.sum(axis=1) > 0]
    basis = SignalSketch(numbers=each.basis.numbers)
    if isinstance(binning, NumericBinning):
        new = np.flatnonzero(signal.counts[: binning.missing] == 0)
        wide, moved = widen(binning, values.numbers.bins())
        place = np.arange(binning.n_bins) + moved
        place[binning.missing :] += wide.n_bins - binning.n_bins - moved
        news = rows[:, new].sum(axis=1)
        mean, std, quantiles = moments(values.numbers)
        signal = replace(signal, binning=wide, mean=mean, std=std, quantiles=quantiles)
    else:
        place = np.arange(binning.n_bins)
        place[binning.new] -= binning.tail  # known from now on
        news = rows[:, binning.new].sum(axis=1)
        known = (each.basis.names.counts.keys() | values.names.counts.keys()) - set(
            binning.categories
        )
        others, level = tuple(sorted(known)), values.names.level
        signal = replace(signal, binning=replace(binning, others=others, halvings=level))
    fine = np.zeros((len(rows), signal.binning.n_bins), np.int64)
    np.add.at(fine.T, place, rows.T)
    counts = fine.sum(axis=0)
    np.add.at(counts, place, each.signal.counts)
    # As many as there would be of all events, at the rate of the second half.
    novel = -(-int(news.sum()) * int(counts.sum()) // max(1, int(rows.sum())))
    calibration = calibrate(signal.binning, counts, novel, fine, news)
    return LearnedSignal(each.place, replace(signal, counts=counts, calibration=calibration), basis)
