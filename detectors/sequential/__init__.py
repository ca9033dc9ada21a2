"""Detectors that are fed pane by pane, or item by item, and remember."""

from detectors.sequential.adwin import Adwin
from detectors.sequential.adwin_bank import AdwinBank
from detectors.sequential.edetector import EDetectorBank
from detectors.sequential.scores import ScoreTable

__all__ = ["Adwin", "AdwinBank", "EDetectorBank", "ScoreTable"]
