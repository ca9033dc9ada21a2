"""What the columns of a fitted file are, and how a CSV among such files is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from detectors.references.json_reader import Place

__all__ = ["ColumnMapping"]


@dataclass(frozen=True)
class ColumnMapping:
    """Which column of the fitted file had which meaning; `replay` and `produce` follow it.

    The last four say how the texts of a CSV are read: which of its names are numbers or booleans,
    which numbers have decimal commas, which texts stand for no value (None: the usual ones), and
    what is between fields (found out if empty).
    """

    timestamp: str | None = None
    id: str | None = None
    prediction: str | None = None
    score: str | None = None
    actual: str | None = None
    ignored: tuple[str, ...] = ()
    numerals: tuple[str, ...] = ()
    decimal_commas: tuple[str, ...] = ()
    missing: tuple[str, ...] | None = None
    delimiter: str = ""

    def document(self) -> dict[str, Any]:
        """As plain values; what says how a CSV is read is left out where it says nothing."""
        found = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}
        for name, default in (
            ("numerals", []),
            ("decimal_commas", []),
            ("missing", None),
            ("delimiter", ""),
        ):
            if found[name] == default:
                del found[name]
        return found

    @classmethod
    def read(cls, place: Place) -> ColumnMapping:
        """From the document at a place."""

        def texts(name: str) -> tuple[str, ...]:
            return tuple(item.text() for item in place[name].items()) if name in there else ()

        there = place.names()
        return cls(
            timestamp=place["timestamp"].text_or_null(),
            id=place["id"].text_or_null(),
            prediction=place["prediction"].text_or_null(),
            score=place["score"].text_or_null(),
            actual=place["actual"].text_or_null(),
            ignored=tuple(item.text() for item in place["ignored"].items()),
            numerals=texts("numerals"),
            decimal_commas=texts("decimal_commas"),
            missing=texts("missing") if "missing" in there else None,
            delimiter=place["delimiter"].text() if "delimiter" in there else "",
        )
