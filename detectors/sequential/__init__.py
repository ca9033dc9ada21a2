"""Detectors that are fed pane by pane, or item by item, and remember."""

from detectors.sequential.adwin import ADWIN
from detectors.sequential.adwin_bank import AdwinBank
from detectors.sequential.cusum import CUSUM, CusumBank, cusum_run_length, cusum_threshold
from detectors.sequential.edetector import EDetectorBank, GrowthTable
from detectors.sequential.evidence_bank import EvidenceBank, Lead
from detectors.sequential.page_hinkley import PageHinkley
from detectors.sequential.scores import ScoreTable
from detectors.sequential.share_evidence import ShareGrowth
from detectors.sequential.shares import Share, ShareTable

__all__ = [
    "ADWIN",
    "CUSUM",
    "AdwinBank",
    "CusumBank",
    "EDetectorBank",
    "EvidenceBank",
    "GrowthTable",
    "Lead",
    "PageHinkley",
    "ScoreTable",
    "Share",
    "ShareGrowth",
    "ShareTable",
    "cusum_run_length",
    "cusum_threshold",
]
