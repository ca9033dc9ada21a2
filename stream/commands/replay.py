"""`driftstream replay`: both stages over a file, in this process."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from stream.commands.file_records import FileRecords
from stream.commands.learned import tell_learned
from stream.commands.mapping import column_options
from stream.commands.replay_gate import pass_or_fail, worse_of
from stream.commands.replay_labels import read_labels
from stream.commands.replay_outcomes import (
    fairness_said,
    outcome_words,
    write_fairness,
    write_outcomes,
)
from stream.commands.replay_tests import each_pane
from stream.commands.replay_untested import write_untested
from stream.commands.report_file import form_of, report_text
from stream.commands.shared import (
    IN_FILE,
    OUT_FILE,
    alert_line,
    data_argument,
    hash_key_option,
    open_config,
    progress,
    read_hash_key,
    say,
)
from stream.contracts.alert_event import SEVERITIES
from stream.text.counted import counted
from stream.text.row_problems import RowProblems

if TYPE_CHECKING:
    from detectors import WindowResult
    from stream.contracts.alert_event import AlertEvent, Severity
    from stream.decode import SourceOptions
    from stream.plans.plan import AnyPlan, Plan
    from stream.plans.privacy import CategoryHash
    from stream.replay import Replay
    from stream.report import ReplayRecorder
    from stream.stage2.detection import OnWindow
    from stream.stage2.untested import AtEnd
    from stream.stage2.windows import Closed

__all__ = ["command"]


@click.command("replay")
@data_argument
@click.option(
    "--reference",
    "reference_path",
    type=IN_FILE,
    help="A reference made by `driftstream fit`; pane and window then follow its rate.",
)
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="A config, for its settings of the model.",
)
@click.option("--model", help="Which model of the config; needed if it has several.")
@click.option(
    "--alerts",
    "alerts_path",
    type=OUT_FILE,
    help="Write the alert events there, one JSON object a line.",
)
@click.option(
    "--metrics",
    "metrics_path",
    type=OUT_FILE,
    help="Write every test of every window there, one JSON object a line, and at last how right "
    "the model was.",
)
@click.option(
    "--report",
    "report_path",
    type=OUT_FILE,
    help="Write one file about it all: HTML, or Markdown if its name ends in .md.",
)
@click.option(
    "--save-reference",
    "learned_path",
    type=OUT_FILE,
    help="Write the reference that was learned or calibrated there.",
)
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    help="Exit with 3 if an episode was ever so severe or more, or if nothing was tested.",
)
@click.option(
    "--labels",
    "labels_path",
    type=IN_FILE,
    help="A file of labels that came later, joined with the predictions of DATA by id: columns of "
    "ids and truths with the names that the reference has for them, or a dump with such events.",
)
@click.option(
    "--label-time",
    metavar="COLUMN",
    help="Its column of the times at which labels were known.",
)
@column_options
@hash_key_option
def command(
    data: Path,
    reference_path: Path | None,
    config_path: Path | None,
    model: str | None,
    alerts_path: Path | None,
    metrics_path: Path | None,
    report_path: Path | None,
    hash_key_path: Path | None,
    learned_path: Path | None,
    fail_on: Severity | None,
    labels_path: Path | None,
    label_time: str | None,
    **columns: Any,
) -> None:
    """Run both stages over DATA in this process: the alerts a cluster would have sent.

    Columns are read as the reference's were when it was fitted. Without a reference, name those
    that are no features: --timestamp, --prediction ...
    """
    if (reference_path is None) == (config_path is None):
        raise click.UsageError("Give either --reference REF.json or -c CONFIG.")
    if labels_path is None and label_time is not None:
        raise click.UsageError("--label-time is of a file of labels: give --labels FILE, too.")
    from detectors import tell_of_compiling

    tell_of_compiling(say)
    hashing = read_hash_key(hash_key_path)
    plan: AnyPlan
    source = None
    if reference_path is not None:
        plan = _plan_of(reference_path)
    else:
        assert config_path is not None
        plan, key, source = _plan_from(config_path, model)
        hashing = hashing or key

    from stream.contracts.alert_event import encode_alert, is_reminder
    from stream.plans.plan import PlanBook
    from stream.replay import Replay
    from stream.report import ReplayRecorder
    from stream.report.replay_words import early_signals
    from stream.stage2.plan_notes import other_notes
    from stream.stage2.untested import untested_by_plan

    for note in other_notes(plan):
        say(f"warning: {note}")
    for each in untested_by_plan(plan):
        if each.reason in ("learning", "calibrating"):  # the rest follows at the end
            say(f"warning: {each.words}")
    book = PlanBook()
    book.add(plan)
    refused = RowProblems("was refused", "were refused")
    last: dict[str, AlertEvent] = {}
    worst: dict[str, AlertEvent] = {}
    early: list[str] = []
    recorder = None if report_path is None else ReplayRecorder()
    with ExitStack() as files:
        out = files.enter_context(alerts_path.open("wb")) if alerts_path is not None else None
        lines = files.enter_context(metrics_path.open("wb")) if metrics_path is not None else None
        apart = labels_path is not None
        records = FileRecords(data, plan, columns, source, labels_apart=apart)
        labels = None
        if labels_path is not None:
            labels = read_labels(labels_path, label_time, plan, records, hashing, source)
        replay = Replay(
            book,
            plan.topic,
            lambda record, reject: refused.add(record.offset + 1, reject.error, reject.reason),
            _both(lines, recorder),
            hashing,
            records.source,
            labels,
        )
        if recorder is not None:
            recorder.follow(replay.monitor)
        with progress() as bar:
            task = bar.add_task("replay", total=None, note="events")
            seen = records.read(refused, lambda n: bar.update(task, advance=n))
            for alert in replay.run(seen):
                before, last[alert.data.episode] = last.get(alert.data.episode), alert
                worst[alert.data.episode] = worse_of(alert, worst.get(alert.data.episode))
                bar.console.print(end="")  # the bar is redrawn below the line
                if alert.data.news == ["from_start"]:  # the end of all says that
                    early += early_signals(alert, before)
                elif not is_reminder(alert, before):
                    click.echo(alert_line(alert))
                if recorder is not None:
                    recorder.alert(alert)
                if out is not None:
                    out.write(encode_alert(alert) + b"\n")
        at_end = replay.untested()
        if lines is not None:
            write_untested(lines, at_end.untested)
            write_outcomes(lines, replay)
            write_fairness(lines, replay)
    _report(replay, plan, last, refused, at_end, early)
    tell_learned(replay, records.mapping, learned_path)
    if recorder is not None and report_path is not None:
        _write_report(report_path, recorder, replay, plan, data.name, refused, at_end)
    if fail_on is not None:
        say(pass_or_fail(fail_on, worst, at_end))


def _events_of(stats: Any, refused: RowProblems) -> int:
    """All events, of batches too: what was counted, what moves no clock, what was refused."""
    events: int = sum(stats.events.values()) + stats.actuals + refused.count
    return events


def _both(lines: BinaryIO | None, recorder: ReplayRecorder | None) -> OnWindow | None:
    """What is called with every tested window, for all who want to know; None for nobody."""
    receivers: list[OnWindow] = [] if lines is None else [partial(_write_window, lines)]
    if recorder is not None:
        receivers.append(recorder.window)
    if not receivers:
        return None

    def tell(plan: Plan, window: Closed, result: WindowResult) -> None:
        for each in receivers:
            each(plan, window, result)

    return tell


def _write_report(
    path: Path,
    recorder: ReplayRecorder,
    replay: Replay,
    plan: AnyPlan,
    data: str,
    refused: RowProblems,
    at_end: AtEnd,
) -> None:
    from stream.plans.plan import LearningPlan

    stats = replay.summariser.stats
    detections = [
        monitor.detection
        for monitor in replay.monitor.subjects.values()
        if monitor.detection is not None
    ]
    if isinstance(plan, LearningPlan):
        if not detections:
            say(f"warning: {path} was not written: nothing was tested yet")
            return
        plan = detections[0].plan
    alphas = [(w.budget.window_alpha, w.budget.segment_alpha) for w in detections]
    panes = sum(monitor.panes_sealed for monitor in replay.monitor.subjects.values())
    report = recorder.report(
        plan,
        data,
        _events_of(replay.summariser.stats, refused),
        refused.count,
        sum(stats.late.values()),
        alphas[0] if alphas else (),
        each_pane(detections[0], panes) if detections else (),
        _alarm_time(replay),
        at_end,
    )
    path.write_text(report_text(report, form_of(path), recorder.rows()), encoding="utf-8")
    say(f"wrote {path}")


def _write_window(out: BinaryIO, plan: Plan, window: Closed, result: WindowResult) -> None:
    """Write what each test of a window gave, a line each."""
    from msgspec.json import encode

    from stream.contracts.alert_event import format_time

    time = format_time(window.end_ms)
    for row, test in enumerate(result.tests):
        line = {
            "time": time,
            "segment": window.segment,
            "signal": plan.monitored[int(result.signal[row])].name,
            "test": test,
            "value": float(result.value[row]),
            "threshold": float(result.threshold[row]),
            "n": int(result.n[row]),
        }
        out.write(encode(line) + b"\n")


def _plan_of(path: Path) -> Plan:
    from detectors import Reference
    from stream.plans.plan import readable
    from stream.plans.proposal import proposed_plan

    return readable(proposed_plan(Reference.from_json(path.read_bytes(), str(path))))


def _plan_from(
    path: Path, name: str | None
) -> tuple[AnyPlan, CategoryHash | None, SourceOptions | None]:
    config = open_config(path)
    if name is None:
        if len(config.models) > 1:
            names = ", ".join(m.name for m in config.models)
            raise click.UsageError(f"{config.file} has several models: {names}. Choose: --model.")
        name = config.models[0].name
    model = config.model(name)
    return config.plan(model), config.hashing, config.sources.get(model.topic)


def _alarm_time(replay: Any) -> tuple[int, int]:
    """Panes after which an episode of drift or data quality was open, and all tested ones."""
    alarms = [subject.alarms for subject in replay.monitor.subjects.values()]
    return sum(a.in_alarm for a in alarms), sum(a.panes for a in alarms)


def _in_alarm(replay: Any) -> str:
    """For how long there was an alarm: few episodes may be long."""
    from detectors.figures import percent

    alarms, panes = _alarm_time(replay)
    return f"; in alarm for {percent(alarms / panes)} of {counted(panes, 'pane')}" if alarms else ""


def _report(
    replay: Any,
    plan: AnyPlan,
    last: dict[str, AlertEvent],
    refused: RowProblems,
    at_end: AtEnd,
    early: list[str],
) -> None:
    from stream.report.label_words import label_words, lone_label_words
    from stream.report.replay_words import gaps_of, limits_of_replay

    stats = replay.summariser.stats
    opened = len(last)
    firing = sum(alert.data.status == "firing" for alert in last.values())
    episodes = counted(opened, "episode") if opened else "no episode"
    if not opened and not at_end.tested:
        episodes = "nothing was tested"
    elif not opened and gaps_of(at_end):
        episodes = "no episode in what was tested"
    left = f", {firing} still firing" if firing else ""
    pane = f"pane {plan.pane_ms / 1000:g} s"
    events = counted(_events_of(stats, refused), "event")
    say(f"{events}, {episodes}{left}; {pane}{_in_alarm(replay)}")
    joined = replay.joined
    of_labels = lone_label_words(stats.actuals) if joined is None else label_words(joined)
    for words in (*of_labels, *outcome_words(replay), *fairness_said(replay)):
        say(words)
    for words in limits_of_replay(stats, at_end, refused, early, time.time()):
        say(words)
