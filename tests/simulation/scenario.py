"""What happens in a simulated world, and what is compared at its end."""

from __future__ import annotations

import random
from collections import Counter
from typing import NamedTuple

import msgspec
import numpy as np

from detectors import fit_reference
from stream.plans.plan import Plan, PlanBook, SignalOptions
from stream.stage2.monitor import PartitionMonitor
from stream.stage2.snapshot import best_snapshot
from tests.simulation.cluster import drive
from tests.simulation.world import START_S, Arrival, World

__all__ = ["LONG", "SHORT", "Outcome", "Plans", "Scenario", "arrivals", "outcome", "run"]

MODELS = ("fraud", "churn")
LATENESS_S = 5
PANE_S = 10
AHEAD_S = 20
BROKEN = b"{broken"


class Plans:
    """The plans topic: a plan for each model, and later another one for the first.

    `states` are the plan books before and after that.
    """

    def __init__(self, holds_from: int = 10**9, **changes: int) -> None:
        rng = np.random.default_rng(5)
        settings = {
            "window_events": 100,
            "window_min_events": 50,
            "false_alarms_per_week": 500.0,
            "lateness_ms": LATENESS_S * 1000,
            "pane_ms": PANE_S * 1000,
        } | changes
        self.first = []
        for model in MODELS:
            data = {"x": rng.normal(size=2_000), "c": rng.choice(["a", "b", "d"], 2_000).tolist()}
            reference = fit_reference(
                data, model=model, version="", roles={}, times_ms=None, segments=()
            )
            self.first.append(
                Plan(
                    model=model,
                    reference=reference,
                    segments=("region",),
                    signals={"x": SignalOptions(importance=0.7)},
                    **settings,
                )
            )
        doubled = {**settings, "pane_ms": 2 * PANE_S * 1000, "false_alarms_per_week": 400.0}
        self.later = Plan(
            model=MODELS[0], reference=self.first[0].reference, segments=("region",), **doubled
        )
        self.states = PlanBook(), PlanBook()
        for book in self.states:
            for plan in self.first:
                book.add(plan)
        self.states[1].add(self.later, (START_S + holds_from) * 1000)


class Scenario(NamedTuple):
    """What a world is like; `stream` seeds its events."""

    n_events: int
    stream: int
    idleness: bool = False
    plan_changes: bool = False
    remade: bool = False
    created: bool = False
    at_once: bool = False

    @property
    def plan_at(self) -> int:
        return self.n_events // 3

    @property
    def holds_from(self) -> int:
        return self.plan_at + 100


def LONG(seed: int) -> Scenario:
    """Long enough for windows to close and episodes to resolve."""
    return Scenario(720, seed % 6, seed % 2 == 0, seed % 3 == 0, seed % 4 == 0, _is_created(seed))


def SHORT(seed: int) -> Scenario:
    """Hundreds of these are run in the time of some dozen of the others."""
    return Scenario(180, seed % 6, seed % 2 == 0, seed % 3 == 0, seed % 4 == 0, _is_created(seed))


def _is_created(seed: int) -> bool:
    """Not with a change of plans: events of hours ahead are of a plan that is not published yet."""
    return seed % 5 == 0 and seed % 3 != 0


def arrivals(n_events: int, stream: int, partitions: int = 3) -> list[Arrival]:
    """Two models; x drifts half-way; a few events late, some too late, some broken, some ahead.

    The clock of every tenth host leads by 20 s. The broker's times have the jitter of the way.
    The last partition falls silent now and then. What it has when it wakes is no later than the
    lateness allows, less the lead of one clock, since others went on without it.
    """
    rng = random.Random(stream)
    events = []
    for i in range(n_events):
        partition = rng.randrange(partitions)
        if partition == partitions - 1 and (i // 120) % 2:
            partition = rng.randrange(partitions - 1)
        at = START_S + i
        if rng.random() < 0.1:
            at -= rng.choice((1, 2) if partition == partitions - 1 else (1, 2, 4, 30))
        elif rng.random() < 0.005:
            at += 5_000  # a producer whose clock is wrong
        elif rng.random() < 0.1:
            at += AHEAD_S
        event = {
            "model": {"name": rng.choice(MODELS), "version": "1"},
            "timestamp": at,
            "features": {
                "x": rng.gauss(1.5 if i > n_events // 2 else 0.0, 1.0),
                "c": rng.choice("abd"),
            },
            "segments": {"region": rng.choice(("eu", "us"))},
        }
        value = BROKEN if rng.random() < 0.01 else msgspec.json.encode(event)
        came_ms = (START_S + i) * 1000 + rng.randrange(900)
        events.append(Arrival(partition, value, came_ms, at * 1000))
    return events


class Outcome(NamedTuple):
    """Alerts by (episode, revision) without offsets; of each subject its state and late events.

    `last` is the status that a consumer is left with, by episode; `sealed` how many panes of a
    subject were sealed without help.
    """

    alerts: dict
    last: dict
    states: dict
    late: dict
    sealed: dict
    refused: Counter[str]
    declared_loss: int


def outcome(world: World) -> Outcome:
    """Alerts and the state at the end; two events of one identity that differ are an error.

    Which partition was the last not to be idle is chance, so all panes are sealed.
    """
    alerts: dict = {}
    last: dict = {}
    states, late, sealed, refused, loss = {}, {}, {}, Counter[str](), 0
    said = list(world.alerts)
    plans = world.plans[world.has_later_plan]
    for partition, log in enumerate(world.summaries):
        monitor = PartitionMonitor(plans)
        stored = [(r.key, r.value) for r in world.state[partition].records]
        if found := best_snapshot(partition, stored):
            monitor.restore(*found)
        for record in log.read(log.begin, len(log.records)):
            said += monitor.apply(record.offset, record.value, record.timestamp, plans_current=True)
        sealed |= {subject: held.panes_sealed for subject, held in monitor.subjects.items()}
        said += monitor.seal_all()
        for subject, held in monitor.subjects.items():
            assert held.detection is not None
            windows = {s: w.counts.tolist() for s, w in held.detection.windows.filling.items()}
            states[subject] = held.panes_sealed, windows, held.detection.sequential.dump()
            late[subject] = held.late_total
        refused.update(monitor.refused)
        loss = max(loss, monitor.sources.declared_loss)  # every monitor hears of every loss
    for alert in said:
        if alert.data.labels.kind == "system":
            continue  # what it says is how the pipeline ran: outside the laws
        plain = msgspec.to_builtins(alert)
        plain["data"].pop("offsets")
        key = alert.data.episode, alert.data.revision
        held_alert = alerts.setdefault(key, plain)
        assert held_alert == plain, "one revision of an episode said two things"
        last[key[0]] = max(last.get(key[0], (0, "")), (key[1], alert.data.status))
    return Outcome(alerts, last, states, late, sealed, refused, loss)


def run(
    scenario: Scenario,
    seed: int,
    *,
    faults: float,
    mutations=(),
    plans: Plans | None = None,
    most: int = 10**9,
    resets: bool = False,
) -> tuple[World, list[str]]:
    """One world to its end, and the faults that were made."""
    world = World(
        (plans or plans_of(scenario)).states,
        arrivals(scenario.n_events, scenario.stream),
        mutations=mutations,
        # A topic is made again when all of it is told, panes that are not complete too.
        idleness=scenario.idleness or scenario.remade or "idle" in " ".join(mutations),
        plan_at=scenario.plan_at if scenario.plan_changes else 10**9,
        remade_at=scenario.n_events // 2 if scenario.remade else 10**9,
        resets=resets,
        created=scenario.created,
        at_once=scenario.at_once,
    )
    return world, list(drive(world, random.Random(seed), faults=faults, most=most))


_PLANS: dict[int, Plans] = {}


def plans_of(scenario: Scenario) -> Plans:
    """The plans of a scenario, made once."""
    if scenario.n_events not in _PLANS:
        _PLANS[scenario.n_events] = Plans(scenario.holds_from)
    return _PLANS[scenario.n_events]
