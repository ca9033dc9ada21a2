"""False alarms of the tests of protected columns, where nothing changes, and what they find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from benchmarks.gates.measured import Measured, share_of
from detectors import OutcomeOptions, fit_reference
from detectors.outcomes.fairness import Limits
from detectors.outcomes.fairness_of_model import ModelFairness

__all__ = ["fairness", "found_in"]

Ints = npt.NDArray[np.int64]
ALPHA = 0.01
#: What a level may be off by upwards; a test that asks for two things at once is below it.
MOST = 1.25
ROWS, WINDOW = 10_000, 1_000


@dataclass(frozen=True)
class World:
    """How outcomes come: half of all truths are yes.

    Attributes
    ----------
    shares : tuple of float
        Of the values among events.
    recalls, wrong : tuple of float
        By value: share of positives that are said, and of negatives.
    memory : float
        Coefficient of the AR(1) that errors of each value follow, over all events.
    """

    shares: tuple[float, ...]
    recalls: tuple[float, ...]
    wrong: tuple[float, ...]
    memory: float = 0.0

    def rows(self, rng: np.random.Generator, n: int) -> tuple[Ints, Ints, Ints]:
        """Value, truth and what was said of n events."""
        value = rng.choice(len(self.shares), n, p=self.shares)
        yes = rng.integers(0, 2, n)
        latent = rng.normal(size=(len(self.shares), n))
        if self.memory:
            latent = _ar(latent, self.memory)
        luck = special.ndtr(latent[value, np.arange(n)])
        hit, false = np.array(self.recalls)[value], np.array(self.wrong)[value]
        said = np.where(yes == 1, luck < hit, luck > 1.0 - false)
        return value, yes, said.astype(np.int64)

    def model(self, rng: np.random.Generator) -> ModelFairness:
        """What is compared by a reference of such rows."""
        value, yes, said = self.rows(rng, ROWS)
        names = np.array([f"v{k}" for k in range(len(self.shares))])
        words = np.array(["no", "yes"])
        reference = fit_reference(
            {
                "said": words[said].tolist(),
                "truth": words[yes].tolist(),
                "group": names[value].tolist(),
            },
            model="m",
            roles={"said": "label", "truth": "actual"},
            times_ms=np.arange(ROWS) * 1_000,
            outcome=OutcomeOptions(positive="yes", protected=("group",)),
        )
        assert reference.outcome is not None
        return ModelFairness(
            reference.outcome, reference.outcome.protected[0], reference.signals, Limits()
        )

    def window(self, rng: np.random.Generator, of: ModelFairness) -> Ints:
        """Outcomes by value of a window, int64[len(of.scopes), of.cells.width]."""
        value, yes, said = self.rows(rng, WINDOW)
        row = np.array([of.protected.values.index(f"v{k}") for k in range(len(self.shares))])[value]
        width = of.cells.width
        at = row * width + said * of.cells.sides + yes
        return np.bincount(at, minlength=len(of.scopes) * width).reshape(-1, width).astype(np.int64)


def _ar(noise: npt.NDArray[np.float64], memory: float) -> npt.NDArray[np.float64]:
    """Rows of normals that remember, each of variance 1."""
    scale = float(np.sqrt(1.0 - memory**2))
    for t in range(1, noise.shape[1]):
        noise[:, t] = memory * noise[:, t - 1] + scale * noise[:, t]
    return noise


_HALVES = (0.5, 0.5)
NULL = {
    "two values alike": World(_HALVES, (0.8, 0.8), (0.2, 0.2)),
    "two values 10 points apart, as in the reference": World(_HALVES, (0.75, 0.85), (0.15, 0.25)),
    "two values 30 points apart, as in the reference": World(_HALVES, (0.6, 0.9), (0.1, 0.4)),
    "five values up to 30 points apart, as in the reference": World(
        (0.3, 0.25, 0.2, 0.15, 0.1), (0.9, 0.85, 0.8, 0.7, 0.6), (0.4, 0.3, 0.3, 0.2, 0.1)
    ),
    "30 points apart, errors of each value in spells (AR .9)": World(
        _HALVES, (0.6, 0.9), (0.1, 0.4), 0.9
    ),
    "30 points apart, errors in spells, values 7 to 3": World(
        (0.7, 0.3), (0.6, 0.9), (0.1, 0.4), 0.9
    ),
}


def fairness(references: int = 60, tests: int = 60, seed: int = 1) -> list[Measured]:
    """Windows of 1,000 events at a level of .01 a disparity."""
    rows = []
    for name, world in NULL.items():
        rng = np.random.default_rng(seed)
        found = found_in(rng, world, world, references, tests)
        known = len(found[0])
        rows.append(
            Measured(
                f"{name}: false alarms over the level .01",
                *(share / ALPHA for share in share_of(_total(found), tests * known)),
                most=MOST,
                note=f"{known} disparities, {references} references x {tests} windows",
            )
        )
    before = World(_HALVES, (0.8, 0.8), (0.2, 0.2))
    for points in (15, 20, 30):
        apart = points / 200.0
        now = World(_HALVES, (0.8 - apart, 0.8 + apart), (0.2, 0.2))
        found = found_in(np.random.default_rng(seed), before, now, 20, tests)
        hits = np.array([each["equal_opportunity_difference"] for each in found])
        rows.append(
            Measured(
                f"equal opportunity {points} points apart, 0 before: windows in which it is found",
                *share_of(hits, tests),
                note=f"500 events of either value, 20 references x {tests} windows",
            )
        )
    return rows


def found_in(
    rng: np.random.Generator, before: World, now: World, references: int, tests: int
) -> list[dict[str, int]]:
    """Windows in which each disparity was found, by reference."""
    every = []
    for _ in range(references):
        of = before.model(rng)
        hits = dict.fromkeys(of.disparities, 0)
        for _ in range(tests):
            window = now.window(rng, of)
            for rate in of.rates:
                for name, disparity in of.of(window, ALPHA, rate).disparities.items():
                    hits[name] += disparity.found
        every.append(hits)
    return every


def _total(found: list[dict[str, int]]) -> Ints:
    """Of all disparities together, by reference."""
    return np.array([sum(each.values()) for each in found])
