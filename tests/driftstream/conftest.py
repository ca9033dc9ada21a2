"""A model's rows, as people have them in data frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

Made = Callable[..., Any]


@pytest.fixture
def made() -> Made:
    """Makes rows of a model; `shift` moves `amount`, `share` is that of DE."""

    def make(rows: int, seed: int, *, shift: float = 0.0, share: float = 0.6, day: int = 1) -> Any:
        rng = np.random.default_rng(seed)
        return pd.DataFrame(
            {
                "ts": pd.date_range(f"2026-01-{day:02}", periods=rows, freq="min", tz="UTC"),
                "amount": rng.lognormal(shift, size=rows),
                "age": rng.integers(18, 90, rows),
                "country": rng.choice(["DE", "FR"], rows, p=[share, 1 - share]),
                "member": rng.random(rows) < 0.3,
                "label": rng.integers(0, 2, rows),
            }
        )

    return make
