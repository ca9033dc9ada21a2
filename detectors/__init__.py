"""Drift statistics over integer counts: usable alone, with numpy and numba only."""

from detectors.binning import Binning, CategoricalBinning, NumericBinning, category_text
from detectors.budget import Budget
from detectors.calibration import Calibration
from detectors.counts import Layout, accumulate
from detectors.explain import Change, describe
from detectors.fit import fit_reference, infer_kind
from detectors.fitting import Coded, ReferenceFitter
from detectors.logbins import LogCounts
from detectors.reference import ColumnMapping, Reference, ReferenceError, SignalReference
from detectors.sequential import Adwin, AdwinBank, EDetectorBank, ScoreTable
from detectors.warm import warm_up
from detectors.window_tests import WINDOWED_TESTS, choose_tests
from detectors.windowed import WindowBank, WindowResult

__all__ = [
    "WINDOWED_TESTS",
    "Adwin",
    "AdwinBank",
    "Binning",
    "Budget",
    "Calibration",
    "CategoricalBinning",
    "Change",
    "Coded",
    "ColumnMapping",
    "EDetectorBank",
    "Layout",
    "LogCounts",
    "NumericBinning",
    "Reference",
    "ReferenceError",
    "ReferenceFitter",
    "ScoreTable",
    "SignalReference",
    "WindowBank",
    "WindowResult",
    "accumulate",
    "category_text",
    "choose_tests",
    "describe",
    "fit_reference",
    "infer_kind",
    "warm_up",
]
