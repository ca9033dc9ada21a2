"""Drift statistics over integer counts: usable alone, with numpy and numba only."""

from detectors.budget import Budget
from detectors.change_points.changepoint import ChangePoint, ChangePoints
from detectors.change_points.explain import Change, describe
from detectors.change_points.slot_expected import SlotRanks, expected_signal
from detectors.counting.binning import Binning, CategoricalBinning, NumericBinning
from detectors.counting.counts import Layout, accumulate
from detectors.counting.log_histogram import LogCounts
from detectors.counting.meaning import category_text
from detectors.errors import DetectorsError, InvalidReferenceError
from detectors.fitting import Coded, ReferenceFitter
from detectors.fitting.outcome_kinds import OutcomeOptions
from detectors.fitting.seasonal import Seasons
from detectors.fitting.table import fit_reference, infer_kind
from detectors.references.calendar import Calendar
from detectors.references.calibration import Calibration
from detectors.references.outcome import OutcomeReference
from detectors.references.reference import ColumnMapping, Reference, SignalReference
from detectors.registry import REGISTRY, Detector
from detectors.sequential import (
    ADWIN,
    CUSUM,
    AdwinBank,
    CusumBank,
    EDetectorBank,
    EvidenceBank,
    GrowthTable,
    Lead,
    PageHinkley,
    ScoreTable,
    Share,
    ShareGrowth,
    ShareTable,
)
from detectors.sequential.slot_days import DayTests
from detectors.sequential.slot_growth import SlotEDetectorBank, SlotGrowth
from detectors.sequential.slot_scores import SlotScores
from detectors.warm import tell_of_compiling, warm_up
from detectors.windowed.bank import WindowBank, WindowResult
from detectors.windowed.catalogue import WINDOWED_TESTS, choose_tests
from detectors.windowed.slot_bank import SlotWindowBank

__all__ = [
    "ADWIN",
    "CUSUM",
    "REGISTRY",
    "WINDOWED_TESTS",
    "AdwinBank",
    "Binning",
    "Budget",
    "Calendar",
    "Calibration",
    "CategoricalBinning",
    "Change",
    "ChangePoint",
    "ChangePoints",
    "Coded",
    "ColumnMapping",
    "CusumBank",
    "DayTests",
    "Detector",
    "DetectorsError",
    "EDetectorBank",
    "EvidenceBank",
    "GrowthTable",
    "InvalidReferenceError",
    "Layout",
    "Lead",
    "LogCounts",
    "NumericBinning",
    "OutcomeOptions",
    "OutcomeReference",
    "PageHinkley",
    "Reference",
    "ReferenceFitter",
    "ScoreTable",
    "Seasons",
    "Share",
    "ShareGrowth",
    "ShareTable",
    "SignalReference",
    "SlotEDetectorBank",
    "SlotGrowth",
    "SlotRanks",
    "SlotScores",
    "SlotWindowBank",
    "WindowBank",
    "WindowResult",
    "accumulate",
    "category_text",
    "choose_tests",
    "describe",
    "expected_signal",
    "fit_reference",
    "infer_kind",
    "tell_of_compiling",
    "warm_up",
]
