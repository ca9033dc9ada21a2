"""Drift statistics over integer counts: usable alone, with numpy and numba only."""

from detectors.binning import Binning, CategoricalBinning, NumericBinning, category_text
from detectors.budget import Budget
from detectors.calibration import Calibration
from detectors.changepoint import ChangePoint, ChangePoints
from detectors.counts import Layout, accumulate
from detectors.explain import Change, describe
from detectors.fit import fit_reference, infer_kind
from detectors.fitting import Coded, ReferenceFitter
from detectors.logbins import LogCounts
from detectors.reference import ColumnMapping, Reference, ReferenceError, SignalReference
from detectors.registry import REGISTRY, Detector
from detectors.sequential import (
    Adwin,
    AdwinBank,
    Cusum,
    CusumBank,
    EDetectorBank,
    GrowthTable,
    PageHinkley,
    ScoreTable,
)
from detectors.warm import warm_up
from detectors.window_tests import WINDOWED_TESTS, choose_tests
from detectors.windowed import WindowBank, WindowResult

__all__ = [
    "REGISTRY",
    "WINDOWED_TESTS",
    "Adwin",
    "AdwinBank",
    "Binning",
    "Budget",
    "Calibration",
    "CategoricalBinning",
    "Change",
    "ChangePoint",
    "ChangePoints",
    "Coded",
    "ColumnMapping",
    "Cusum",
    "CusumBank",
    "Detector",
    "EDetectorBank",
    "GrowthTable",
    "Layout",
    "LogCounts",
    "NumericBinning",
    "PageHinkley",
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
