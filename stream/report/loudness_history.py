"""How loud each signal was over the time of a replay: a column for each window, at most so many.

A column is the worst of what was tested since the one before: the window's tests, the evidence of
e-detectors at its end, and what tests without a window found, for as long as an episode tells of
it. Neighbours are merged where there are more columns than can be drawn.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from stream.contracts.alert_event import AlertEvent, parse_time
from stream.report.charts import HEAT_COLUMNS
from stream.report.loudness import heard_in

__all__ = ["LoudnessHistory"]

Floats = npt.NDArray[np.float64]


class LoudnessHistory:
    """The worst ratio of each signal, by time.

    Attributes
    ----------
    times : list of int
        End of each column.
    columns : list of float64[S]
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._index: Mapping[str, int] = {name: i for i, name in enumerate(names)}
        self.times: list[int] = []
        self.columns: list[Floats] = []
        self._open: dict[str, Floats] = {}  # by episode
        self._since: Floats = np.zeros(len(names))  # heard since the last column

    def window(self, end_ms: int, ratios: Floats) -> None:
        """Take a window of the whole stream: its worst tests, and evidence at its end."""
        self.times.append(end_ms)
        self.columns.append(np.maximum(ratios, self._since))
        self._since = self._heard()
        if len(self.times) >= 2 * HEAT_COLUMNS:
            self.times = self.times[1::2]
            pairs = zip(self.columns[::2], self.columns[1::2], strict=True)
            self.columns = [np.maximum(a, b) for a, b in pairs]

    def tell(self, alert: AlertEvent) -> None:
        """Take an alert: those of a window come behind it, at the time of its end."""
        data = alert.data
        found = np.zeros(len(self._index))
        self._open.pop(data.episode, None)
        for heard in heard_in(data):
            at = self._index.get(heard.signal)
            if at is not None:
                found[at] = heard.ratio
        if found.any():
            self._open[data.episode] = found
        if self.times and parse_time(alert.time) <= self.times[-1]:
            self.columns[-1] = np.maximum(self.columns[-1], found)
            self._since = self._heard()
        else:
            self._since = np.maximum(self._since, found)

    def _heard(self) -> Floats:
        heard = np.zeros(len(self._index))
        for found in self._open.values():
            np.maximum(heard, found, out=heard)
        return heard

    def loudest_first(self) -> list[tuple[str, list[float]]]:
        """Each signal with its ratios by time."""
        if not self.columns:
            return []
        names = list(self._index)
        history = np.array(self.columns)
        order = np.argsort(-history.max(axis=0), kind="stable").tolist()
        return [(names[i], history[:, i].tolist()) for i in order]

    def of(self, name: str) -> tuple[tuple[int, float], ...]:
        """(time, ratio) of one signal; nothing of one that is not known."""
        at = self._index.get(name)
        if at is None:
            return ()
        return tuple((time, float(column[at])) for time, column in zip(self.times, self.columns))
