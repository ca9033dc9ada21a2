"""A synthetic fraud model for `driftstream demo live`: seeded, with one change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

__all__ = ["CHANGED_SIGNAL", "MODEL", "SyntheticModel"]

MODEL = "fraud"
#: The feature whose distribution the change moves; the model's score follows it.
CHANGED_SIGNAL = "amount"
_COUNTRIES = ("DE", "FR", "ES", "IT", "PL", "NL")
_SHARES = (0.35, 0.25, 0.15, 0.12, 0.08, 0.05)


class SyntheticModel:
    """Draws feature rows and scores them with a fixed logistic model."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def columns(self, n: int, *, shift: float = 0.0) -> dict[str, Any]:
        """Columns of n rows; `shift` moves the log of the amount by so many standard deviations."""
        rng = self._rng
        log_amount = rng.normal(3.0 + shift, 1.0, n)
        age_days = rng.exponential(400.0, n)
        velocity = rng.poisson(3.0, n).astype(float)
        country = rng.choice(_COUNTRIES, n, p=_SHARES)
        logit = 0.9 * (log_amount - 3.0) - 0.002 * age_days + 0.2 * velocity - 2.0
        score = 1.0 / (1.0 + np.exp(-logit))
        return {
            CHANGED_SIGNAL: np.round(np.exp(log_amount), 2),
            "account_age_days": np.round(age_days, 1),
            "velocity": velocity,
            "country": country.tolist(),
            "score": np.round(score, 5),
            "label": np.where(score > 0.5, "fraud", "ok").tolist(),
        }

    def events(self, n: int, times_ms: list[int], *, shift: float = 0.0) -> Iterator[bytes]:
        """Prediction events at the given times."""
        encode = msgspec.json.Encoder().encode
        data = {
            name: values if isinstance(values, list) else values.tolist()
            for name, values in self.columns(n, shift=shift).items()
        }
        model = {"name": MODEL, "version": "1"}
        names = (CHANGED_SIGNAL, "account_age_days", "velocity", "country")
        for i, time_ms in enumerate(times_ms):
            yield encode(
                {
                    "model": model,
                    "timestamp": time_ms,
                    "features": {name: data[name][i] for name in names},
                    "prediction": {"label": data["label"][i], "score": data["score"][i]},
                }
            )
