from __future__ import annotations

import numpy as np
import pytest

from detectors import synth


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_autoregressive_streams_have_their_moments(rho: float) -> None:
    x = synth.autoregressive(200_000, rho, np.random.default_rng(0))
    assert x.std() == pytest.approx(1.0, abs=0.03)
    assert np.corrcoef(x[1:], x[:-1])[0, 1] == pytest.approx(rho, abs=0.02)


def test_changes_are_where_they_should_be() -> None:
    rng = np.random.default_rng(0)
    n, at = 40_000, 20_000
    for stream, mean, std in (
        (synth.sudden(n, at, 0.5, rng), 0.5, 1.0),
        (synth.spread(n, at, 1.5, rng), 0.0, 1.5),
        (synth.gradual(n, at - 5_000, 5_000, 0.5, rng), 0.5, 1.0),
    ):
        assert stream[:15_000].mean() == pytest.approx(0.0, abs=0.03)
        assert stream[at:].mean() == pytest.approx(mean, abs=0.04)
        assert stream[at:].std() == pytest.approx(std, abs=0.03)


def test_the_same_seed_gives_the_same_stream() -> None:
    a, b = (synth.autoregressive(100, 0.5, np.random.default_rng(3)) for _ in range(2))
    assert (a == b).all()
