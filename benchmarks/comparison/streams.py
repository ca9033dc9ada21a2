"""Seeded streams: a reference, then items without a change, then a change.

Numbers are N(0, 1) before the change, whatever a peer likes its scale to be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

__all__ = ["BEFORE", "CHANGES", "NULLS", "REFERENCE", "Change", "make_null"]

Floats = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]

#: Rows of the reference, and items of the stream before its change.
REFERENCE, BEFORE = 10_000, 10_000
SHARES = (0.40, 0.30, 0.15, 0.10, 0.05)
CHANGED_SHARES = (0.35, 0.30, 0.15, 0.10, 0.10)
ERROR, CHANGED_ERROR = 0.20, 0.30


def _normal(rng: np.random.Generator, n: int) -> Floats:
    return rng.standard_normal(n)


def _errors(rng: np.random.Generator, n: int) -> Floats:
    return (rng.random(n) < ERROR).astype(np.float64)


def _categories(rng: np.random.Generator, n: int) -> Floats:
    return rng.choice(len(SHARES), n, p=SHARES).astype(np.float64)


def _autoregressive(rho: float) -> Draw:
    def draw(rng: np.random.Generator, n: int) -> Floats:
        noise = rng.standard_normal(n) * np.sqrt(1 - rho * rho)
        start = [rho * rng.standard_normal()]
        values: Floats = lfilter([1.0], [1.0, -rho], noise, zi=start)[0]
        return values

    return draw


#: Streams in which nothing changes: every alarm is false.
NULLS: dict[str, tuple[str, Draw]] = {
    "N(0,1)": ("number", _normal),
    "AR(1) .5": ("number", _autoregressive(0.5)),
    "AR(1) .9": ("number", _autoregressive(0.9)),
    "errors .2": ("binary", _errors),
    "5 categories": ("category", _categories),
}


def make_null(name: str, seed: int, items: int) -> tuple[Floats, Floats]:
    """A reference and a stream after it, one after the other as in life."""
    rng = np.random.default_rng([seed, 11])
    values = NULLS[name][1](rng, REFERENCE + items)
    return values[:REFERENCE], values[REFERENCE:]


@dataclass(frozen=True)
class Change:
    """What comes after `BEFORE` items of the null stream.

    `departures` are the starts of changes, counted from the first; each is to be found before the
    next thing happens, `span` items later.
    """

    name: str
    kind: str
    null: str
    after: Draw
    span: int = 20_000
    departures: tuple[int, ...] = (0,)
    items: int = 20_000

    def make(self, seed: int) -> tuple[Floats, Floats]:
        """Reference and stream; the first change is at item `BEFORE`."""
        rng = np.random.default_rng([seed, 13])
        null = NULLS[self.null][1]
        reference = null(rng, REFERENCE)
        return reference, np.concatenate([null(rng, BEFORE), self.after(rng, self.items)])


def _shifted(by: float) -> Draw:
    return lambda rng, n: rng.standard_normal(n) + by


def _gradual(rng: np.random.Generator, n: int) -> Floats:
    return rng.standard_normal(n) + 0.5 * np.minimum(1.0, np.arange(n) / 20_000)


def _slow(rng: np.random.Generator, n: int) -> Floats:
    return rng.standard_normal(n) + 0.05 * np.arange(n) / 10_000


def _slower(rng: np.random.Generator, n: int) -> Floats:
    return rng.standard_normal(n) + 0.01 * np.arange(n) / 10_000


def _two_humps(rng: np.random.Generator, n: int) -> Floats:
    return rng.standard_normal(n) * 0.6 + np.where(rng.random(n) < 0.5, 0.8, -0.8)


def _recurring(rng: np.random.Generator, n: int) -> Floats:
    return rng.standard_normal(n) + 0.5 * (np.arange(n) // 2_000 % 2 == 0)


CHANGES = {
    change.name: change
    for change in (
        Change("sudden +.1 sd", "number", "N(0,1)", _shifted(0.1)),
        Change("sudden +.25 sd", "number", "N(0,1)", _shifted(0.25)),
        Change("sudden +.5 sd", "number", "N(0,1)", _shifted(0.5)),
        Change("gradual to +.5 sd over 20,000", "number", "N(0,1)", _gradual, 30_000, items=30_000),
        Change("spread x1.5", "number", "N(0,1)", lambda rng, n: 1.5 * rng.standard_normal(n)),
        Change("shape only: two humps", "number", "N(0,1)", _two_humps),
        Change(
            "recurring +.5 sd, 2,000 on and off",
            "number",
            "N(0,1)",
            _recurring,
            2_000,
            (0, 4_000, 8_000, 12_000, 16_000),
        ),
        Change("slow: +.05 sd a 10,000", "number", "N(0,1)", _slow, 100_000, items=100_000),
        # At an event a minute, 1 % of the standard deviation a week.
        Change("slow: +.01 sd a 10,000", "number", "N(0,1)", _slower, 300_000, items=300_000),
        Change(
            "errors .2 -> .3",
            "binary",
            "errors .2",
            lambda rng, n: (rng.random(n) < CHANGED_ERROR).astype(np.float64),
        ),
        Change(
            "a category's share .05 -> .10",
            "category",
            "5 categories",
            lambda rng, n: rng.choice(5, n, p=CHANGED_SHARES).astype(np.float64),
        ),
    )
}
