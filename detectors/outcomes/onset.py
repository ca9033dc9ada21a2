"""Since when outcomes left what the model's scores meant: the stretch that shows it best."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.change_points.blocks import Blocks
from detectors.counting.outcome_cells import OutcomeCells
from detectors.outcomes.relation_evidence import AXES
from detectors.outcomes.strata import axes_of, followed_strata

__all__ = ["furthest", "onset", "sums_of_residuals"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def onset(cells: OutcomeCells, reference: Ints, blocks: Blocks, axis: str, direction: int) -> int:
    """The first of the latest blocks whose residuals together are largest by their chance.

    Parameters
    ----------
    cells, reference
        As of `RelationEvidence`.
    blocks : Blocks
        Of vectors of cells; at least one.
    axis, direction
        What its strongest process watches: `RelationEvidence.axis` and `direction`.
    """
    along = AXES.index(axis)
    sums = [sums_of_residuals(cells, reference, blocks[at]) for at in range(len(blocks))]
    total, chance = (np.array([each[which][along] for each in sums]) for which in (0, 1))
    return furthest(direction * total, chance)


def sums_of_residuals(cells: OutcomeCells, reference: Ints, counts: Ints) -> tuple[Floats, Floats]:
    """Sums of the residuals of some cells along both axes, and their variances by chance.

    Both are float64[2], in the order of `AXES`; events count as independent.
    """
    share, weights = axes_of(followed_strata(cells, reference))
    held = followed_strata(cells, counts)
    events = held.sum(axis=1)
    total: Floats = weights @ (held[:, 1] - share * events)
    chance: Floats = np.square(weights) @ (share * (1.0 - share) * events)
    return total, chance


def furthest(beyond: Floats, chance: Floats) -> int:
    """The first of the latest items that together are furthest beyond what chance brings.

    Parameters
    ----------
    beyond : float64[n]
        By how much each is beyond what is expected of it.
    chance : float64[n]
        Its variance by chance, in any unit; stretches without any are passed over.
    """
    since, by_chance = (np.cumsum(each[::-1])[::-1] for each in (beyond, chance))
    ratio = since / np.sqrt(np.where(by_chance > 0.0, by_chance, 1.0))
    return int(np.argmax(np.where(by_chance > 0.0, ratio, -np.inf)))
