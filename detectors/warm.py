"""Compiling every kernel before the first event needs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numba.core.event import Listener, register

from detectors.change_points.changepoint import ChangePoints
from detectors.change_points.slot_expected import SlotRanks
from detectors.counting.counts import accumulate
from detectors.counting.ids import IdRows, IdSample, hash_columns, hash_texts, sampled_hashes
from detectors.counting.json_floats import read_numbers
from detectors.counting.outcome_places import add_sums
from detectors.counting.sparse import (
    MAX_COUNT,
    check_counts,
    decode_counts,
    encode_counts,
    merge_encoded,
)
from detectors.distances import divergences
from detectors.fitting.seasonal import Seasons
from detectors.fitting.table import LEAST_ROWS, fit_reference
from detectors.null_distributions.small_counts import small_counts_chi2
from detectors.references.calendar import STEPS, SlotPlace
from detectors.references.reference import SignalReference
from detectors.sequential.adwin import ADWIN
from detectors.sequential.adwin_bank import AdwinBank
from detectors.sequential.edetector import EDetectorBank
from detectors.sequential.evidence_bank import EvidenceBank
from detectors.sequential.scores import ScoreTable
from detectors.sequential.share_evidence import ShareGrowth
from detectors.sequential.shares import ShareTable
from detectors.sequential.slot_growth import SlotEDetectorBank, SlotGrowth
from detectors.sequential.slot_scores import SlotScores
from detectors.windowed.bank import WindowBank
from detectors.windowed.catalogue import WINDOWED_TESTS
from detectors.windowed.slot_bank import SlotWindowBank

__all__ = ["COMPILING", "tell_of_compiling", "warm_up"]

#: What `tell_of_compiling` is for.
COMPILING: Final = "compiling kernels, once for this version and CPU: some 30 s of CPU"


class _FirstCompile(Listener):  # type: ignore[misc]
    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell: Callable[[str], None] | None = tell

    def on_start(self, event: object) -> None:
        if self._tell is not None:
            self._tell(COMPILING)
            self._tell = None

    def on_end(self, event: object) -> None:
        """Nothing to do."""


def tell_of_compiling(tell: Callable[[str], None]) -> None:
    """Call `tell` with a sentence before the first kernel that no cache holds is compiled."""
    register("numba:compile", _FirstCompile(tell))


def warm_up() -> None:
    """Run every kernel once with the types it is used with: seconds at first, then cached."""
    n = 2 * LEAST_ROWS
    columns = {
        "number": np.arange(n, dtype=np.float64),
        "few": np.arange(n) % 3,
        "name": ["a", "b", None] * (n // 3),
    }
    for times in (None, np.arange(4 * n, dtype=np.int64)):
        repeat = 1 if times is None else 4
        rows = {name: np.resize(np.array(c, object), repeat * n) for name, c in columns.items()}
        roles = {"few": "label"}
        signals = fit_reference(rows, model="warm-up", roles=roles, times_ms=times).signals
        bank = WindowBank(signals)
        layout = bank.layout
        numeric = np.zeros((n, layout.numeric.size))
        codes = np.zeros((n, layout.categorical.size), np.int32)
        counts = np.zeros((1, layout.width), np.int64)
        for values in (numeric, np.asfortranarray(numeric)):  # of events, and of batches
            positions = layout.positions(values, codes)
            accumulate(positions, np.zeros(n, np.int32), counts)
            accumulate(positions, np.zeros(n, np.int32), counts.astype(np.int32))
        add_sums(np.zeros((n, 1), np.int64), np.zeros(n, np.int32), np.zeros((1, 1), np.int64))
        encoded = encode_counts(counts[0])
        check_counts(encoded, layout.width, MAX_COUNT)
        decode_counts(merge_encoded(encoded, encoded), layout.width)
        for tested in (bank, WindowBank(signals, layout, _every_test(signals))):
            result = tested.test(counts[0], 0.01)
            _ = result.threshold, result.p_value
        ChangePoints(signals, layout).history.add(counts[0], 0, 1)
        moments = ScoreTable(signals, layout).moments(counts[0])
        shares = ShareGrowth(ShareTable(signals, layout), 4.0, signals, layout)
        ranks = EDetectorBank(signals, layout, threshold=100.0)
        EvidenceBank(ranks, shares).update(counts[0])
        adwin = AdwinBank(2 * layout.numeric.size, 0.01)
        adwin.update(*(values.ravel() for values in moments))
    _warm_up_slots()
    ADWIN().update_many(np.zeros(64))
    number = np.zeros(1)
    read_numbers(b"[1.5]", number, number.view(np.uint64))
    small_counts_chi2(divergences.PSI, 1.0, (5, 95), 100)
    hash_columns([np.zeros(1)], 1)
    ids = IdRows()
    ids.grow(1)
    ids.count(sampled_hashes(hash_texts(["id"])), np.zeros(1, np.int32))
    IdSample.decode(ids.sample(0).encode())


def _warm_up_slots() -> None:
    """The same of a reference with slots."""
    step_ms, rows = 600_000, 8 * 144
    times = step_ms * np.arange(rows, dtype=np.int64)
    names = np.array(["a", "b", "c", None] * (rows // 4), object)
    columns = {"number": np.arange(rows) * 1.7 % 9, "name": names}
    reference = fit_reference(columns, model="warm-up", times_ms=times, seasons=Seasons("auto"))
    layout, calendar = reference.layout(), reference.calendar
    assert calendar is not None
    signals, other = reference.signals, calendar.slots - 1
    counts = np.concatenate([[0], *(signal.counts for signal in signals)])
    counts[0] = rows
    for part in (0, STEPS // 2):
        told = np.append(counts, calendar.told(SlotPlace(0, other, part), 0, rows))
        for tests in (None, _every_test(signals)):
            result = SlotWindowBank(signals, layout, tests, calendar).test(told, 0.01)
            _ = result.threshold, result.p_value
        scores = SlotScores(signals, layout, calendar)
        scores.moments(told)
        growth = SlotGrowth(signals, layout, scores, 3.0)
        SlotEDetectorBank(growth, threshold=100.0).update(told)
        growth.by_table = False
        SlotEDetectorBank(growth, threshold=100.0).update(told)
        ranks = SlotRanks(signals, layout, calendar).of
        ChangePoints(signals, layout, ranks).history.add(told, 0, 1)


def _every_test(signals: Sequence[SignalReference]) -> dict[str, tuple[str, ...]]:
    return {
        s.name: tuple(name for name, test in WINDOWED_TESTS.items() if s.kind in test.kinds)
        for s in signals
    }
