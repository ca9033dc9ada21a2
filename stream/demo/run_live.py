"""The live demo: a synthetic model at 5,000 events a second, one change, and the alert's delay."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from rich.console import Console

from detectors import fit_reference
from stream.client.records import publish
from stream.contracts.alert_event import AlertEvent, parse_time
from stream.demo import live
from stream.demo.show import Teller, heading
from stream.demo.stage import AlertReader, DemoError, Stage, open_stage, write_config
from stream.devbroker.broker import find_broker

__all__ = ["demo_live"]

RATE = 5_000
CHANGE_AFTER_S = 30.0
_GIVE_UP_S = 60.0
#: After the first alert, long enough for a full window to say how large the change is.
_LINGER_S = 18.0


def demo_live(console: Console, *, seed: int = 0) -> int:
    """Watch a synthetic model at 5,000 events a second; measure the delay of the alert."""
    heading(console, "driftstream demo live")
    found = find_broker()
    console.print(f"Broker: {found.sentence}")
    if found.broker is None:
        console.print("[red]demo live needs a broker; see `driftstream broker start`.[/]")
        return 1
    model = live.SyntheticModel(seed)
    n = 60_000
    reference = fit_reference(
        model.columns(n),
        model=live.MODEL,
        version="1",
        roles={"score": "score", "label": "label"},
        times_ms=np.arange(n, dtype=np.int64) * 1_000 // RATE,
    )
    try:
        with tempfile.TemporaryDirectory(prefix="driftstream-demo-") as folder:
            settings = {"pane": '"1s"', "lateness": '"1s"'}
            config = write_config(
                Path(folder), found.broker.bootstrap, reference, live.MODEL, settings
            )
            with open_stage(config, console.print) as stage:
                return _live(console, stage, model)
    finally:
        found.broker.stop()


def _live(console: Console, stage: Stage, model: live.SyntheticModel) -> int:
    arrivals: list[tuple[AlertEvent, float]] = []

    teller = Teller(console)

    def heard(alert: AlertEvent, at: float) -> None:
        arrivals.append((alert, at))
        teller.say(alert)

    console.print(
        f"Worker ready: page {stage.page}, metrics at {stage.page}metrics\n"
        f"{RATE:,} events/s; after {CHANGE_AFTER_S:.0f} s the feature "
        f"'{live.CHANGED_SIGNAL}' grows by half a standard deviation."
    )
    began = time.time()
    changed_at = began + CHANGE_AFTER_S
    with AlertReader(stage.config, heard) as reader:
        publish(
            stage.config.kafka,
            stage.config.models[0].topic,
            _paced(model, began, changed_at, lambda: any(at > changed_at for _, at in arrivals)),
            linger_ms=5,
        )
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
    decided = parse_time(alert.data.window.end) / 1000
    plan = stage.config.plan(stage.config.models[0])
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
