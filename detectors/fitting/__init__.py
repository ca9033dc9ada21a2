"""How a reference is fitted to rows that come in batches, twice."""

from __future__ import annotations

from detectors.fitting.fitter import LEAST_ROWS, ReferenceFitter
from detectors.fitting.values import Coded, Column, infer_kind, numbers

__all__ = ["LEAST_ROWS", "Coded", "Column", "ReferenceFitter", "infer_kind", "numbers"]
