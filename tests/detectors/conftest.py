from __future__ import annotations

import hypothesis
import numpy as np
import pytest

from detectors import Reference, fit_reference

# A kernel compiles at its first call: how long an example takes says nothing.
hypothesis.settings.register_profile("kernels", deadline=None)
hypothesis.settings.load_profile("kernels")

N = 10_000


@pytest.fixture(scope="session")
def mixed() -> Reference:
    """Numeric, skewed, integer and categorical signals of independent rows."""
    rng = np.random.default_rng(20)
    return fit_reference(
        {
            "normal": rng.normal(4, 1, N),
            "lognormal": rng.lognormal(size=N),
            "poisson": rng.poisson(3, N).astype(float),
            "name": rng.choice(["ok", "bad", "late"], N, p=[0.7, 0.2, 0.1]).tolist(),
        },
        model="m",
    )
