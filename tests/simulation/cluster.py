"""Workers in memory: seeded, one small step at a time, no threads and no broker.

A worker that lost its partitions without knowing (a zombie) goes on with what it has in memory: its
appends arrive, its commits are refused.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.simulation.stages import Stage1, Stage2
from tests.simulation.world import TP, World

__all__ = ["drive"]

FAULTS = ("crash", "zombie", "join", "leave")


class Worker:
    """One process: its partitions, or the ones it believes to have."""

    def __init__(self, world: World, number: int, rng: random.Random) -> None:
        self.world, self.number, self.rng = world, number, rng
        self.tasks: list[Stage1 | Stage2] = []
        self.plans = world.known_plans()

    def assign(self, tps: list[TP]) -> None:
        """An eager rebalance: everything is revoked, then built anew."""
        self.tasks = []
        for tp in tps:
            self.world.owner[tp] = self.number
            kind = Stage1 if tp[0] == "source" else Stage2
            self.tasks.append(kind(self.world, self.number, tp[1], self.plans, self.rng))

    def step(self) -> bool:
        order = self.rng.sample(self.tasks, len(self.tasks))
        return any(task.step() for task in order)

    def follow_plans(self) -> None:
        """Hear of a plan some time after it was published, and long before it holds."""
        waited = self.world.now > self.world.plan_at + 30
        if self.world.has_later_plan and (waited or self.rng.random() < 0.2):
            self.plans.later = True


def drive(
    world: World, rng: random.Random, *, faults: float, most: int = 10**9, n_workers: int = 2
) -> Iterator[str]:
    """Run until all is read and delivered; yields the name of each fault as it is made.

    `faults` is the chance of one at every turn, which takes each worker one step on; `most` bounds
    their number.
    """
    number = iter(range(10**6))
    live = [Worker(world, next(number), rng) for _ in range(n_workers)]
    zombies: list[tuple[Worker, int]] = []

    def rebalance() -> None:
        shares: list[list[TP]] = [[] for _ in live]
        tps = world.partitions
        rng.shuffle(tps)
        for i, tp in enumerate(tps):
            shares[i % len(live)].append(tp)
            if world.resets and tp[0] == "source" and rng.random() < 0.3:
                world.committed[tp] = rng.randint(0, world.committed.get(tp, 0))
        for worker, share in zip(live, shares, strict=True):
            worker.assign(share)

    rebalance()
    quiet = 0
    while quiet < 3 or zombies:
        if most > 0 and rng.random() < faults:
            most -= 1
            fault = rng.choice(FAULTS)
            if fault != "join":
                victim = live.pop(rng.randrange(len(live)))
                if fault == "zombie":
                    zombies.append((victim, rng.randint(1, 60)))
            if fault == "join" or not live:
                live.append(Worker(world, next(number), rng))
            rebalance()
            yield fault
        if zombies and rng.random() < 0.1:
            zombie, steps = zombies.pop(rng.randrange(len(zombies)))
            for _ in range(steps):
                zombie.step()
            yield "woken"
        if world.is_remade_due and world.is_read_out():
            world.make_again()  # workers end when they see it, and are started again
            live = [Worker(world, next(number), rng) for _ in live]
            rebalance()
        for worker in live:
            worker.follow_plans()
        worked = [worker.step() for worker in rng.sample(live, len(live))]
        came = (not any(worked) or rng.random() < 0.2) and world.tick(rng.randint(1, 40))
        quiet = 0 if any(worked) or came else quiet + 1
