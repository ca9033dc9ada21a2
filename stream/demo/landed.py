"""Flights that landed: each with its predicted and its actual delay, known when it lands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from detectors import Reference, fit_reference
from stream.decode.record import FileRecord
from stream.demo.flights import MODEL, Flights, load_flights, unseen_flights
from stream.text.durations import WEEK_MS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["joined", "landed", "landed_events", "landed_flights", "landed_reference"]


def landed(flights: Flights) -> pd.DataFrame:
    """Flights that arrived, in the order in which they did.

    Columns: `landed` (time, UTC), `landed_ms`, `month` of departure, and the delays in minutes,
    `predicted` and `actual`.
    """
    import pandas as pd

    table = flights.table
    table = table[(table["arrival_ms"] >= 0) & table["actual"].notna()]
    table = table.sort_values("arrival_ms", kind="stable", ignore_index=True)
    return pd.DataFrame(
        {
            "landed": pd.to_datetime(table["arrival_ms"], unit="ms", utc=True),
            "landed_ms": table["arrival_ms"],
            "month": table["month"],
            "predicted": table["score"],
            "actual": table["actual"].astype(np.float64),
        }
    )


def joined(*parts: Flights) -> Flights:
    """Flights of several parts, in the order of their departure."""
    import pandas as pd

    table = pd.concat([part.table for part in parts])
    return Flights(table.sort_values("time_ms", kind="stable"))


def landed_flights(seed: int = 0) -> pd.DataFrame:
    """All flights of 2013 that landed: when (`landed`), and the delays `predicted` and `actual`.

    No model had seen them: January's are predicted by models of the other half of its days, the
    rest by the model of January.
    """
    flights = landed(joined(*unseen_flights(load_flights(seed), seed)))
    return flights[["landed", "predicted", "actual"]]


def landed_reference(flights: pd.DataFrame) -> Reference:
    """The reference of flights that landed, for windows of whole weeks."""
    return fit_reference(
        {name: flights[name].to_numpy(np.float64) for name in ("predicted", "actual")},
        model=MODEL,
        roles={"predicted": "label", "actual": "actual"},
        times_ms=flights["landed_ms"].to_numpy(np.int64),
        cycle_ms=WEEK_MS,
    )


def landed_events(flights: pd.DataFrame) -> Iterator[FileRecord]:
    """An event for each flight when it lands, with prediction and actual."""
    encode = msgspec.json.Encoder().encode
    rows = zip(
        flights["landed_ms"].tolist(),
        flights["predicted"].tolist(),
        flights["actual"].tolist(),
        strict=True,
    )
    for at, (time_ms, predicted, actual) in enumerate(rows):
        event = {
            "model": {"name": MODEL},
            "timestamp": time_ms,
            "prediction": {"label": predicted},
            "actual": {"label": actual},
        }
        yield FileRecord(at, 0, encode(event))
