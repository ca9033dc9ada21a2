"""What a fit is told of its columns, checked; and columns that are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detectors.counting.binning import CategoricalBinning, NumericBinning
from detectors.errors import InvalidReferenceError
from detectors.references.reference import OF_COLUMNS, SignalReference

__all__ = ["check_signals", "same_values"]


def check_signals(kinds: Mapping[str, str], roles: Mapping[str, str], cycle_ms: int) -> None:
    """Refuse kinds, roles or a cycle that cannot be; raises InvalidReferenceError."""
    if not kinds:
        raise InvalidReferenceError("columns must have at least one signal; got none.")
    for name, role in roles.items():
        if name not in kinds or role not in OF_COLUMNS:
            raise InvalidReferenceError(
                f"roles[{name!r}] must be a role ({', '.join(OF_COLUMNS)}) of a column "
                f"({', '.join(list(kinds)[:20])}); got {role!r}."
            )
    for name, kind in kinds.items():
        if kind not in ("numeric", "categorical"):
            raise InvalidReferenceError(
                f"kinds[{name!r}] must be numeric or categorical; got {kind!r}."
            )
    if cycle_ms < 0:
        raise InvalidReferenceError(f"cycle_ms must be >= 0; got {cycle_ms}.")


def same_values(signals: Sequence[SignalReference], traces: Mapping[str, int]) -> list[str]:
    """Features that fall into the same bins in every row: they alarm together."""
    first: dict[tuple[object, ...], str] = {}
    found = []
    for signal in signals:
        binning = signal.binning
        if signal.role != "feature" or not signal.counts[: binning.missing].any():
            continue
        key: tuple[object, ...] = (traces[signal.name], binning.kind)
        if isinstance(binning, NumericBinning):
            key += tuple(binning.edges.tolist())
        elif isinstance(binning, CategoricalBinning):
            key += binning.categories
        same = first.setdefault(key, signal.name)
        if same != signal.name:
            found.append(
                f"{signal.name}: has the same values as {same}; both alarm together. Leave one out"
            )
    return found
