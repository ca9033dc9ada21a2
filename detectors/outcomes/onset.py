"""Since when outcomes left what the model's scores meant: the stretch that shows it best."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.change_points.blocks import Blocks
from detectors.counting.outcome_cells import OutcomeCells
from detectors.outcomes.relation_evidence import AXES
from detectors.outcomes.strata import axes_of, followed_strata

__all__ = ["furthest", "onset"]

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
    share, weights = axes_of(followed_strata(cells, reference))
    weight = weights[AXES.index(axis)]
    total, chance = np.zeros(len(blocks)), np.zeros(len(blocks))
    for at in range(len(blocks)):
        held = followed_strata(cells, blocks[at])
        events = held.sum(axis=1)
        total[at] = direction * float(weight @ (held[:, 1] - share * events))
        chance[at] = float(np.square(weight) @ (share * (1.0 - share) * events))
    return furthest(total, chance)


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
