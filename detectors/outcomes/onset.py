"""Since when outcomes left what the model's scores meant: the stretch that shows it best."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.change_points.blocks import Blocks
from detectors.counting.outcome_cells import OutcomeCells
from detectors.outcomes.relation_evidence import AXES
from detectors.outcomes.strata import axes_of, strata_of

__all__ = ["onset"]

Ints = npt.NDArray[np.int64]


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
    strata = strata_of(cells, reference)
    share, weights = axes_of(strata)
    weight = weights[AXES.index(axis)]
    total, chance = np.zeros(len(blocks)), np.zeros(len(blocks))
    for at in range(len(blocks)):
        held = strata_of(cells, blocks[at])
        events = held.sum(axis=1)
        total[at] = direction * float(weight @ (held[:, 1] - share * events))
        chance[at] = float(np.square(weight) @ (share * (1.0 - share) * events))
    since, by_chance = (np.cumsum(each[::-1])[::-1] for each in (total, chance))
    return int(np.argmax(since / np.sqrt(np.maximum(by_chance, 1e-12))))
