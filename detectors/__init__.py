"""Drift statistics over integer counts: usable alone, with numpy and numba only."""

from detectors.binning import Binning, CategoricalBinning, NumericBinning, category_text
from detectors.calibration import Calibration
from detectors.counts import Layout, accumulate
from detectors.fit import fit_reference, infer_kind
from detectors.reference import ColumnMapping, Reference, ReferenceError, SignalReference

__all__ = [
    "Binning",
    "Calibration",
    "CategoricalBinning",
    "ColumnMapping",
    "Layout",
    "NumericBinning",
    "Reference",
    "ReferenceError",
    "SignalReference",
    "accumulate",
    "category_text",
    "fit_reference",
    "infer_kind",
]
