"""Protected columns of a plan, checked against its reference."""

from __future__ import annotations

from collections.abc import Sequence

from detectors import OutcomeReference, SignalReference
from detectors.outcomes.fairness import Limits
from detectors.outcomes.fairness_of_model import ModelFairness
from detectors.references.segments import Segment, columns_of_segments, segment_name, written

__all__ = ["protected_columns"]


def protected_columns(
    columns: Sequence[Segment],
    known: OutcomeReference | None,
    outcome: OutcomeReference | None,
    monitored: Sequence[SignalReference],
    limits: Limits,
) -> tuple[ModelFairness, ...]:
    """What is compared by each column.

    Parameters
    ----------
    columns : sequence of str or tuple of str
        Those that a plan protects, and combinations of them.
    known, outcome : OutcomeReference or None
        What the reference has, and the same if all that it is counted from is monitored.
    monitored : sequence of SignalReference
        Signals of the plan.
    limits : Limits
        From where a disparity is too large.

    Raises
    ------
    ValueError
        Of the first column that cannot be compared by, saying why.
    """
    if not columns:
        return ()
    if known is not None and outcome is None:
        off = sorted(known.signals - {signal.name for signal in monitored})
        raise ValueError(
            f"protected needs outcomes, and {off[0]} is not monitored. Monitor it, or compare "
            "none: protected = []."
        )
    if outcome is None:
        raise ValueError(
            "protected needs outcomes, and the reference has none. Fit it on rows with a truth and "
            "what the model said, or compare none: protected = []."
        )
    if outcome.cells.task == "regression":
        raise ValueError("protected is of classes, and a regression has none. Leave it out.")
    of = {each.column: each for each in outcome.protected}
    for column in columns:
        if column not in of:
            known_by = " and by ".join(map(segment_name, of))
            has = f"has them by {known_by}" if of else "has none"
            option = ",".join(columns_of_segments([column]))
            raise ValueError(
                f"protected = [{written(column)!r}] needs outcomes by its values, and the "
                f"reference {has}. Fit it again with --protected {option}, or compare none: "
                "protected = []."
            )
    return tuple(
        ModelFairness(outcome, of[column], monitored, limits) for column in dict.fromkeys(columns)
    )
