"""How often the events of a reference came twice, and by what events are told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from detectors.references.json_reader import Place

__all__ = ["Copies"]

_ROWS: Final = ("", "time", "values")


@dataclass(frozen=True)
class Copies:
    """What a reference knows of events that are sent more than once.

    Attributes
    ----------
    rows : str
        By what events without an id are told apart: "time" is their time and the values of all
        signals, "values" the values alone, "" nothing, because different rows are too alike.
    share : float
        Of the reference's rows those that had been there before. Its counts are of events as if
        each had come once.
    """

    rows: str = ""
    share: float = 0.0

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return {"rows": self.rows, "share": self.share}

    @classmethod
    def read(cls, place: Place) -> Copies:
        """From the document at a place."""
        share = place["share"].number(minimum=0.0)
        if share > 1.0:
            place["share"].fail(f"must be 0 to 1; got {share}")
        return cls(place["rows"].is_one_of(_ROWS), share)
