"""Many independent references of one law at once: each a signal of one bank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks.gates.draws import AliasDraw, Below, ar1, below_probabilities
from detectors import Layout, Reference, fit_reference

__all__ = ["LAWS", "Law", "dependent", "independent"]

#: Rows of a reference, as a user would have.
ROWS = 10_000


@dataclass(frozen=True)
class Law:
    """A law of values: how to draw them, and P(value < edge)."""

    name: str
    frozen: object

    def draw(self, rng: np.random.Generator, size: tuple[int, int]) -> npt.NDArray[np.float64]:
        """Independent values."""
        return np.asarray(self.frozen.rvs(size=size, random_state=rng), np.float64)  # type: ignore[attr-defined]

    @property
    def below(self) -> Below:
        """P(value < edge), which for whole numbers is not the cdf."""
        cdf = self.frozen.cdf  # type: ignore[attr-defined]
        if hasattr(self.frozen, "pmf"):
            return lambda edges: cdf(np.ceil(edges) - 1)
        return lambda edges: cdf(edges)


LAWS = (
    Law("normal", stats.norm()),
    Law("lognormal", stats.lognorm(1.0)),
    Law("Poisson(3)", stats.poisson(3)),
)


def independent(
    law: Law, references: int, seed: int, rows: int = ROWS
) -> tuple[Reference, Layout, AliasDraw]:
    """References of independent rows, and the draw of panes of the same law."""
    rng = np.random.default_rng(seed)
    values = law.draw(rng, (references, rows))
    fitted = fit_reference({f"r{i}": column for i, column in enumerate(values)}, model="null")
    layout = fitted.layout()
    laws = [below_probabilities(s, law.below)[None] for s in fitted.signals]
    return fitted, layout, AliasDraw(layout, laws, seed + 1)


def dependent(
    rho: float, references: int, rng: np.random.Generator, rows: int = ROWS
) -> tuple[Reference, Layout]:
    """References fitted to AR(1) streams in the order of time."""
    values = ar1(rng, rows, rng.standard_normal(references), rho)
    columns = {f"r{i}": column for i, column in enumerate(values.T.copy())}
    times = np.arange(rows, dtype=np.int64) * 1_000
    fitted = fit_reference(columns, model="null", times_ms=times)
    return fitted, fitted.layout()
