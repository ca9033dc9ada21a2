"""A calibration as plain values, and read back."""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors.references.calibration import Calibration
from detectors.references.json_reader import Place

__all__ = ["calibration_document", "read_calibration"]


def calibration_document(calibration: Calibration) -> dict[str, Any]:
    """All fields; floats keep every bit."""
    return {
        "batches": calibration.batches,
        "phi_x": calibration.phi_x,
        "phi_y": calibration.phi_y,
        "groups": calibration.groups.tolist(),
        "covariance": None if calibration.lower is None else calibration.lower.tolist(),
        "novel": calibration.novel,
        "phi_novel": calibration.phi_novel,
    }


def read_calibration(place: Place, n_bins: int) -> Calibration:
    """From the document at a place, checked."""
    groups = place["groups"].integers(length=n_bins, minimum=0)
    if np.unique(groups).size != groups.max() + 1 or groups[-1] != groups.max():
        place["groups"].fail("must number groups from 0 without a gap, the last bin's highest")
    lower = None
    batches = place["batches"].integer(minimum=0)
    if place["covariance"].value is not None:
        size = int(groups[-1]) + 1
        lower = place["covariance"].numbers(length=size * (size + 1) // 2)
    if (batches > 1) != (lower is not None):
        place["batches"].fail(f"must be 0 without a covariance, else above 1; got {batches}")
    return Calibration(
        groups=groups.astype(np.uint8),
        batches=batches,
        phi_x=place["phi_x"].number(minimum=1.0),
        phi_y=place["phi_y"].number(minimum=1.0),
        lower=lower,
        novel=place["novel"].integer(minimum=0),
        phi_novel=place["phi_novel"].number(minimum=1.0),
    )
