"""A stream that never drifts: state grows for weeks and must still be written and read."""

from __future__ import annotations

import numpy as np

from detectors import AdwinBank
from detectors.counting.binning import SCORE_SCALE


def test_an_adwin_that_holds_billions_of_items_is_dumped_and_loaded():
    bank = AdwinBank(2, 1e-9)
    n = np.full(2, 10_000_000, np.int64)
    q = SCORE_SCALE // 2
    for _ in range(400):
        assert not bank.update(n, n * q, n * q * q).any()
    assert (bank.width > 2_000_000_000).all()
    again = AdwinBank(2, 1e-9)
    again.load(bank.dump())
    assert (again.width == bank.width).all()
    assert (again.mean == bank.mean).all()
