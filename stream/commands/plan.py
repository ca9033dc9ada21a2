"""`driftstream plan`: what is on the plans topic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stream.commands import rebase
from stream.commands.shared import (
    answer,
    answer_json,
    config_option,
    open_config,
    plan_name,
    print_table,
    say,
    when,
)
from stream.commands.spelling import SpellingGroup
from stream.contracts.moments import MINUS_INFINITY
from stream.text.counted import counted

if TYPE_CHECKING:
    from stream.client.plan_topic import Published
    from stream.plans.plan import AnyPlan

__all__ = ["command", "superseded"]


@click.group("plan", cls=SpellingGroup)
def command() -> None:
    """Plans say what is watched, how, and from when. Workers take them from the plans topic."""


command.add_command(rebase.command)


@command.command("publish")
@config_option
@click.option("--model", help="Only this model of the config.")
@click.option("--again", is_flag=True, help="Also plans that a later one took the place of.")
def publish(config_path: Path, model: str | None, again: bool) -> None:
    """Publish the config's plans; those already there are left as they are.

    One that a later plan took the place of is published with --again alone; otherwise that is said
    and the exit code is 1.
    """
    from stream.client.plan_topic import publish_plans
    from stream.stage2.plan_notes import plan_mismatches, plan_summary

    config = open_config(config_path)
    chosen = config.models if model is None else (config.model(model),)
    plans = [config.plan(each) for each in chosen]
    published = publish_plans(config.kafka, config.topics.plans, plans, again=again)
    for plan, done in zip(plans, published, strict=True):
        for words in plan_mismatches(plan):
            say(f"warning: {plan_name(plan)}: {words}")
        if done.superseded_by:
            say(superseded(plan, done))
            continue
        words = f"in force from {_since(done.effective_from_ms)}"
        verb = "published" if done.new else "already there"
        answer(f"{plan_name(plan)}: {verb}, {words} ({plan.hash[:19]})")
        answer(f"  {plan_summary(plan)}")
    if any(done.superseded_by for done in published):
        raise click.exceptions.Exit(1)


def superseded(plan: AnyPlan, done: Published) -> str:
    """Say of a plan that another took its place, and what to do."""
    return (
        f"{plan_name(plan)}: this config's plan ({plan.hash[:19]}) is an older one and was not "
        f"published: {done.superseded_by[:19]} was published after it, in force from "
        f"{_since(done.effective_from_ms)}. Bring the config up to date, or bring its plan back: "
        f"driftstream plan publish --again --model {plan.model}"
    )


@command.command("list")
@config_option
def show_all(config_path: Path) -> None:
    """List every plan on the topic."""
    from detectors.figures import figure

    config = open_config(config_path)
    rows = [
        (
            plan.model,
            plan.version,
            _since(since),
            plan.topic,
            _signals(plan)[0],
            figure(plan.false_alarms_per_week),
            plan.hash[7:19],
            _short(_baseline(plan)),
        )
        for plan, since in _read(config)
    ]
    heads = ("model", "version", "in force from", "topic", "signals", "false alarms/week", "plan")
    print_table("", (*heads, "reference"), rows)


@command.command("show")
@config_option
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="The whole plan with its reference.")
def show(config_path: Path, name: str, as_json: bool) -> None:
    """Show the newest plan of the model NAME, or the plan whose hash begins with NAME."""
    config = open_config(config_path)
    found = [
        (plan, since)
        for plan, since in _read(config)
        if plan.model == name
        or plan.hash.removeprefix("sha256:").startswith(name.removeprefix("sha256:"))
    ]
    if not found:
        raise click.ClickException(
            f"{config.topics.plans} has no plan of {name!r}. See: driftstream plan list."
        )
    plan, since = max(found, key=lambda entry: entry[1])
    if as_json:
        answer_json(plan.encode(since))
        return
    rows = [
        ("in force from", _since(since)),
        ("hash", plan.hash),
        ("reference", _baseline(plan)),
    ]
    rows += [
        (name, _text(value)) for name, value in plan.settings.items() if value not in ("", [], {})
    ]
    rows.append(("watches", _signals(plan)[1]))
    print_table("", ("setting", "value"), rows)


def _signals(plan: AnyPlan) -> tuple[str, str]:
    """How many signals are watched, and which."""
    from stream.plans.plan import LearningPlan

    if not isinstance(plan, LearningPlan):
        return str(len(plan.monitored)), ", ".join(signal.name for signal in plan.monitored)
    names = list(plan.learn.signals)
    return (str(len(names)), ", ".join(names)) if names else ("auto", "all that come")


def _baseline(plan: AnyPlan) -> str:
    """The reference's hash, or how one is learned."""
    from stream.plans.plan import LearningPlan

    if isinstance(plan, LearningPlan):
        return f"learns from {counted(plan.learn.warm_up, 'event')}"
    return plan.reference.hash


def _short(baseline: str) -> str:
    return baseline[7:19] if baseline.startswith("sha256:") else baseline


def _read(config: Any) -> list[tuple[AnyPlan, int]]:
    from stream.client.plan_topic import read_plans

    plans: list[tuple[AnyPlan, int]] = read_plans(config.kafka, config.topics.plans)
    return plans


def _since(time_ms: int) -> str:
    # The first plan of a model holds from before every event.
    return "the beginning" if time_ms <= MINUS_INFINITY else f"{when(time_ms)} UTC"


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
