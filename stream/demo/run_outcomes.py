"""The demo's last question: was the model right?"""

from __future__ import annotations

import calendar
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from detectors import Reference, WindowResult
from detectors.outcomes.metrics import Metric
from detectors.outcomes.of_model import ModelMetrics
from stream.contracts.alert_event import AlertEvent
from stream.demo.flights import Flights, unseen_flights
from stream.demo.landed import joined, landed, landed_events, landed_reference
from stream.demo.show import Teller, heading
from stream.plans.plan import Plan, PlanBook
from stream.plans.proposal import propose
from stream.replay import Replay
from stream.stage2.windows import Closed
from stream.text.durations import HOUR_MS, WEEK_MS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Watched", "demo_outcomes", "watch"]

#: Kinds that judge the model; that the delays themselves changed does not.
_OF_MODEL: Final = ("performance", "concept_drift")
_LAST_MONTH: Final = 8
_WORST_MONTH: Final = 7
#: The metrics of the table, as its columns call them.
_METRICS: Final = {"mae": "mean absolute", "rmse": "root mean square", "bias": "bias"}


@dataclass(frozen=True)
class Watched:
    """What came of watching flights that landed.

    Attributes
    ----------
    reference : Reference
        Of the flights before.
    alerts : list of AlertEvent
        As a worker would have published them.
    months : dict of int to int64[cells]
        Outcomes of the weeks that end in each month, as they were counted.
    """

    reference: Reference
    alerts: list[AlertEvent]
    months: dict[int, npt.NDArray[np.int64]]

    def metrics(self) -> tuple[dict[str, Metric], dict[int, dict[str, Metric]]]:
        """Those of the reference, and of each month."""
        outcome = self.reference.outcome
        assert outcome is not None, "landed flights have prediction and actual"
        of = ModelMetrics(outcome, self.reference.signals)
        return of.reference, {month: of.of(cells) for month, cells in self.months.items()}

    def episodes(self) -> Counter[str]:
        """How many there are of each kind."""
        return Counter({a.data.episode: a.data.labels.kind for a in self.alerts}.values())


def watch(usual: pd.DataFrame, later: pd.DataFrame, false_alarms_per_week: float) -> Watched:
    """Watch flights that landed `later`, in windows of a week, beside `usual` ones."""
    reference = landed_reference(usual)
    plan = Plan(
        model=reference.model,
        reference=reference,
        pane_ms=HOUR_MS,
        cycle_ms=WEEK_MS,
        window_max_age_ms=propose(reference)[1],
        false_alarms_per_week=false_alarms_per_week,
    )
    months: dict[int, npt.NDArray[np.int64]] = {}

    def add_week(plan: Plan, week: Closed, _: WindowResult) -> None:
        end = np.datetime64(week.end_ms - 1, "ms")
        month = int(end.astype("datetime64[M]").astype(int)) % 12 + 1
        cells = week.counts[plan.layout.cells].astype(np.int64)
        months[month] = months.get(month, np.zeros_like(cells)) + cells

    book = PlanBook()
    book.add(plan)
    alerts = list(Replay(book, on_window=add_week).run(landed_events(later)))
    return Watched(reference, alerts, months)


def demo_outcomes(
    console: Console, flights: Flights, seed: int, false_alarms_per_week: float
) -> None:
    """Watch a model's errors, where events have both prediction and actual."""
    heading(console, "And was the model right?")
    first, second, rest = unseen_flights(flights, seed)
    january, later = landed(joined(first, second)), landed(rest)
    later = later[later["month"] <= _LAST_MONTH]
    trained_on = landed(flights)
    trained_on = trained_on[trained_on["month"] == 1]
    sample = next(landed_events(later)).value
    assert sample is not None
    console.print("One event for each flight when it lands, with predicted and actual delay:")
    shown = sample.decode().replace(',"prediction"', ',\n   "prediction"')
    console.print(f"  {shown}", highlight=False, markup=False)
    console.print(
        f"Reference: {len(january):,} flights of January, each predicted by a model trained on the "
        "other half of January's days. On flights that it was trained on a model is better than "
        f"ever again: off by {_mean_error(trained_on):.1f} minutes, not "
        f"{_mean_error(january):.1f}.\n"
        f"Watched: {len(later):,} flights of February to August, predicted by the model above, "
        "which was trained on all of January."
    )
    found = watch(january, later, false_alarms_per_week)
    console.print(_table(found))
    _tell(console, found)
    july = Flights(rest.table[rest.table["month"] == _WORST_MONTH]).deal_days(seed)[1]
    _stays_silent(console, landed(first), landed(second), landed(july), false_alarms_per_week)
    console.print(
        "On your own files, if predictions are in the column `said` and actuals in `truth`:\n"
        "  driftstream init january.csv --model mine --prediction said --actual truth\n"
        "  driftstream replay february.csv -c driftstream.toml",
        highlight=False,
    )


def _mean_error(flights: pd.DataFrame) -> float:
    return float((flights["predicted"] - flights["actual"]).abs().mean())


def _table(found: Watched) -> Table:
    """How right the model was by month, beside the reference."""
    usual, by_month = found.metrics()
    table = Table(title="How many minutes predictions were off (95 % interval)")
    table.add_column("weeks that end in")
    for name in ("flights", *_METRICS.values()):
        table.add_column(name, justify="right")
    rows = [(calendar.month_name[month], metrics) for month, metrics in sorted(by_month.items())]
    for label, metrics in [("reference: January", usual), *rows]:
        shown = (_minutes(metrics[name]) for name in _METRICS)
        table.add_row(label, f"{metrics['mae'].events:,}", *shown)
    table.caption = "bias: predicted less actual, so above 0 flights were earlier than predicted"
    return table


def _minutes(metric: Metric) -> str:
    """`12.1 (10.3 to 13.9)`; a root mean square error has no interval."""
    shown = f"{metric.value:.1f}"
    return shown if math.isnan(metric.low) else f"{shown} ({metric.low:.1f} to {metric.high:.1f})"


def _tell(console: Console, found: Watched) -> None:
    """The episodes that judge the model, in words, and how many others there are."""
    teller = Teller(console)
    for alert in found.alerts:
        if alert.data.labels.kind in _OF_MODEL:
            teller.say(alert)
    kinds = found.episodes()
    of_model = ", ".join(f"{kinds.pop(kind, 0)} of {kind}" for kind in _OF_MODEL)
    console.print(
        f"Episodes: {of_model} (actuals above the prediction more or less often than in January)."
    )
    if kinds:
        others = ", ".join(f"{n} of {kind}" for kind, n in sorted(kinds.items()))
        console.print(f"Not shown, as they do not say that the model is wrong: {others}.")


def _stays_silent(
    console: Console,
    usual: pd.DataFrame,
    same: pd.DataFrame,
    july: pd.DataFrame,
    false_alarms_per_week: float,
) -> None:
    """One half of January's days beside the other, and as many days of July beside it."""
    silent, found = (watch(usual, later, false_alarms_per_week) for later in (same, july))
    console.print(
        f"Does it stay silent? January's days dealt at random: fitted on {len(usual):,} flights, "
        f"watched {len(same):,}. Episodes opened: {silent.episodes().total()}\n"
        f"And of half of July's days, {len(july):,} flights, beside the same reference: "
        f"{', '.join(f'{n} of {kind}' for kind, n in found.episodes().items()) or 0}"
    )
    teller = Teller(console)
    for alert in silent.alerts:
        teller.say(alert)
