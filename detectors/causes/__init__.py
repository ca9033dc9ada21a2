"""What a feature's new distribution would make of predictions and errors."""

from detectors.causes.reweighting import (
    LEAST_EXPLAINED,
    ExpectedErrors,
    Explained,
    expected_errors,
    explained,
)

__all__ = ["LEAST_EXPLAINED", "ExpectedErrors", "Explained", "expected_errors", "explained"]
