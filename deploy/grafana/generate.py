"""Write the dashboards: `python deploy/grafana/generate.py`, with grafana-foundation-sdk installed.

Every expression here is executed by tests/deploy/test_grafana.py against a real Prometheus.
"""

# ruff: noqa: E501 - an expression is read best on one line

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

sys.path.insert(0, str(Path(__file__).parent))

from panels import (
    DRIFT,
    SOURCE,
    bars,
    board,
    heat,
    lines,
    narrowed,
    number,
    rows,
    side_by_side,
    states,
    variable,
)

OUT = Path(__file__).parent / "dashboards"
RATE = "[$__rate_interval]"
BY_MODEL = "by (model, model_version)"
#: A test's value over its threshold, in the whole stream; 1 is a finding.
RATIO = (
    'driftstream_drift_score{{{0}segment=""}} / (driftstream_drift_threshold{{{0}segment=""}} > 0)'
)
MINE = 'model="$model", model_version=~"$version"'
RUNBOOK = "${page}/runbooks/${__data.fields.kind}"
IN_ALARM = ((None, "green"), (0.1, "yellow"), (0.5, "red"))
BUDGET = ((None, "green"), (1.0, "yellow"), (3.0, "red"))


def fleet() -> Any:
    """All models at a glance."""
    ratio = RATIO.format("")
    to_model = "/d/driftstream-model?var-model=${__data.fields.model}&var-version=${__data.fields.model_version}"
    panels = [
        number(
            "Models watched",
            "Models and versions that are watched.",
            (f"count(max {BY_MODEL} (driftstream_budget_false_alarms_per_week))", ""),
        ),
        number(
            "Episodes firing",
            "Episodes that fire now.",
            (
                "count(max by (model, model_version, kind) (driftstream_alert_active)) or vector(0)",
                "",
            ),
            colours=((None, "green"), (1, "red")),
        ),
        number(
            "Events",
            "Events read a second.",
            (f"sum(rate(driftstream_events_total{RATE}))", ""),
            unit="cps",
        ),
        number(
            "Waiting",
            "Records in the logs and not handled yet.",
            ("sum(max by (topic, partition) (driftstream_consumer_lag_records))", ""),
        ),
        number("Workers", "Workers that answer.", ('sum(up{job="driftstream"})', "")),
        number(
            "Alerts in 24 h",
            "Alert events published, revisions included.",
            ("round(sum(increase(driftstream_alerts_total[24h])))", ""),
        ),
        rows(
            "What fires, in words",
            "The newest alert of each open episode. A kind leads to its runbook, a model to its signals.",
            [
                (
                    "max by (model, model_version, kind, severity, episode, summary) (driftstream_alert_info)",
                    "",
                )
            ],
            width=24,
            height=6,
            links={"kind": RUNBOOK, "model": to_model},
            order=("severity", "model", "model_version", "kind", "summary", "episode"),
            nothing="Nothing fires.",
        ),
        rows(
            "Models",
            "Worst signal in units of its threshold (1 is a finding), open episodes, "
            "budget of this week used, share of four weeks in alarm, and how far behind the clock all is judged.",
            [
                (f"max {BY_MODEL} ({ratio})", "worst signal"),
                (
                    f"count {BY_MODEL} (max by (model, model_version, kind) (driftstream_alert_active))",
                    "episodes",
                ),
                (f"max {BY_MODEL} (driftstream_budget_spent_ratio)", "budget used"),
                (f"max {BY_MODEL} (driftstream_alarm_time_ratio)", "in alarm"),
                (
                    f"time() - max {BY_MODEL} (driftstream_frontier_timestamp_seconds)",
                    "judged until, s ago",
                ),
            ],
            width=14,
            links={"model": to_model},
        ),
        rows(
            "Worst signal of each model",
            "The test that is farthest beyond its threshold.",
            [
                (
                    f"topk {BY_MODEL} (1, max by (model, model_version, signal, test) ({ratio}))",
                    "of its threshold",
                )
            ],
            width=10,
            links={"model": to_model},
        ),
        states(
            "Episodes",
            "When which episode fired.",
            (
                "max by (model, model_version, kind, severity) (driftstream_alert_active)",
                "{{model}} {{model_version}} {{kind}} {{severity}}",
            ),
            width=24,
        ),
        lines(
            "Worst signal of each model over time",
            "In units of its threshold.",
            (f"max {BY_MODEL} ({ratio})", "{{model}} {{model_version}}"),
            colours=DRIFT,
        ),
        bars(
            "Budget used this week",
            "Episodes opened since Monday (UTC, event time) over those allowed.",
            (f"max {BY_MODEL} (driftstream_budget_spent_ratio)", "{{model}} {{model_version}}"),
            unit="percentunit",
            colours=BUDGET,
        ),
        bars(
            "In alarm",
            "Share of the panes of four weeks after which an episode was open: few episodes may be long.",
            (f"max {BY_MODEL} (driftstream_alarm_time_ratio)", "{{model}} {{model_version}}"),
            unit="percentunit",
            colours=IN_ALARM,
        ),
    ]
    return board("driftstream-fleet", "driftstream: Fleet", "All models at a glance.", panels, [])


def one_model() -> Any:
    """One model: its signals over time, one signal in detail, its segments."""
    mine = RATIO.format(MINE + ", ")
    one = f'{MINE}, segment="", signal="$signal"'
    apart = f'driftstream_drift_score{{{MINE}, segment!="", signal="$signal"}} / (driftstream_drift_threshold{{{MINE}, segment!="", signal="$signal"}} > 0)'
    to_page = "${page}/?model=${model}&version=${__data.fields.model_version}"
    to_signal = "${page}/signal?model=${model}&version=${__data.fields.model_version}&signal=${__data.fields.signal}"
    panels = [
        rows(
            "What fires, in words",
            "The newest alert of each open episode. A kind leads to its runbook, a version to a worker's page.",
            [
                (
                    f"max by (model_version, kind, severity, episode, summary) (driftstream_alert_info{{{MINE}}})",
                    "",
                )
            ],
            width=24,
            height=6,
            links={"kind": RUNBOOK, "model_version": to_page},
            order=("severity", "model_version", "kind", "summary", "episode"),
            nothing="Nothing fires.",
        ),
        number(
            "Episodes",
            "What fires now.",
            (
                f"max by (kind, severity, model_version) (driftstream_alert_active{{{MINE}}})",
                "{{model_version}} {{kind}} {{severity}}",
            ),
            width=4,
            colours=((None, "green"), (1, "red")),
            nothing="none",
        ),
        number(
            "Budget used",
            "Episodes opened this week over those allowed.",
            (f"max(driftstream_budget_spent_ratio{{{MINE}}})", ""),
            unit="percentunit",
            colours=BUDGET,
        ),
        number(
            "In alarm",
            "Share of the panes of four weeks after which an episode was open.",
            (f"max(driftstream_alarm_time_ratio{{{MINE}}})", ""),
            unit="percentunit",
            colours=IN_ALARM,
        ),
        number(
            "Allowed a week",
            "False alarms a week that the plan allows.",
            (f"max(driftstream_budget_false_alarms_per_week{{{MINE}}})", ""),
        ),
        number(
            "In the window",
            "Events in the window that fills now.",
            (f'max(driftstream_window_events{{{MINE}, segment="", window="filling"}})', ""),
        ),
        number(
            "Judged until",
            "How far behind the clock all is judged.",
            (f"time() - max(driftstream_frontier_timestamp_seconds{{{MINE}}})", ""),
            unit="s",
        ),
        heat(
            "Signals",
            "Each signal's worst test in units of its threshold: from 1 on it is a finding.",
            (f"max by (signal, model_version) ({mine})", "{{signal}} {{model_version}}"),
        ),
        rows(
            "$signal: versions compared",
            "The chosen versions beside each other: the signal in the last full window, and the version's worst signal. Shares and tests are of the whole stream.",
            [
                (f"max by (model_version) (driftstream_signal_mean{{{one}}})", "mean"),
                (
                    f'max by (model_version) (driftstream_signal_quantile{{{one}, q="0.5"}})',
                    "median",
                ),
                (f"max by (model_version) (driftstream_signal_missing_ratio{{{one}}})", "missing"),
                (
                    f"max by (model_version) (driftstream_drift_score{{{one}}} / (driftstream_drift_threshold{{{one}}} > 0))",
                    "of its threshold",
                ),
                (f"max by (model_version) ({mine})", "worst signal of all"),
                (
                    f"count by (model_version) (max by (model_version, kind) (driftstream_alert_active{{{MINE}}}))",
                    "episodes",
                ),
                (f"max by (model_version) (driftstream_alarm_time_ratio{{{MINE}}})", "in alarm"),
                (
                    f'max by (model_version) (driftstream_window_events{{{MINE}, segment="", window="full"}})',
                    "events in the window",
                ),
            ],
            width=24,
            height=6,
            links={"model_version": to_page},
        ),
        lines(
            "$signal: tests",
            "In units of the threshold of each test.",
            (
                f"max by (test, model_version) (driftstream_drift_score{{{one}}} / (driftstream_drift_threshold{{{one}}} > 0))",
                "{{test}} {{model_version}}",
            ),
            colours=DRIFT,
        ),
        lines(
            "$signal: mean and quantiles",
            "Mean and quantiles of the last full window; numeric signals only.",
            (
                f"max by (q, model_version) (driftstream_signal_quantile{{{one}}})",
                "q {{q}} {{model_version}}",
            ),
            (
                f"max by (signal, model_version) (driftstream_signal_mean{{{one}}})",
                "mean of {{signal}} {{model_version}}",
            ),
        ),
        side_by_side(
            "$signal, version $version: reference against window",
            "Shares of the reference's bins, then and in the last full window, a panel for each version. For the five signals of the model with most drift.",
            "bin",
            [
                (f"max by (bin) (driftstream_signal_bin_reference_share{{{one}}})", "reference"),
                (f"max by (bin) (driftstream_signal_bin_share{{{one}}})", "window"),
            ],
            repeat="version",
            width=24,
        ),
        bars(
            "$signal: segments",
            "Worst test of the signal in each segment.",
            (f"max by (segment, model_version) ({apart})", "{{segment}} {{model_version}}"),
        ),
        lines(
            "Missing values",
            "Share of events without the signal in the last full window.",
            (
                f'max by (signal, model_version) (driftstream_signal_missing_ratio{{{MINE}, segment=""}})',
                "{{signal}} {{model_version}}",
            ),
            unit="percentunit",
        ),
        lines(
            "Events",
            "Events a second of the model, all versions.",
            (
                f'sum by (outcome) (rate(driftstream_events_total{{model="$model"}}{RATE}))',
                "{{outcome}}",
            ),
            unit="cps",
        ),
        lines(
            "Windows",
            "Events in the window that fills, by segment; the whole stream has no name.",
            (
                f'max by (segment, model_version) (driftstream_window_events{{{MINE}, window="filling"}})',
                "{{model_version}} {{segment}}",
            ),
        ),
        lines(
            "Outcomes: $metric",
            "How right the model was of the predictions of the last full window whose truth is known, with its 95 % interval; what it was in the reference; and what scores alone let expect.",
            (
                f'max by (model_version) (driftstream_outcome{{{MINE}, segment="", metric="$metric"}})',
                "now {{model_version}}",
            ),
            (
                f'max by (model_version) (driftstream_outcome_low{{{MINE}, segment="", metric="$metric"}})',
                "at least {{model_version}}",
            ),
            (
                f'max by (model_version) (driftstream_outcome_high{{{MINE}, segment="", metric="$metric"}})',
                "at most {{model_version}}",
            ),
            (
                f'max by (model_version) (driftstream_outcome_reference{{{MINE}, metric="$metric"}})',
                "reference {{model_version}}",
            ),
            (
                f'max by (model_version) (driftstream_outcome_estimated{{{MINE}, segment="", metric="$metric"}})',
                "estimated {{model_version}}",
            ),
        ),
        lines(
            "Outcomes: truth known",
            "Share of the last full window's events that have a truth.",
            (
                f'max by (segment, model_version) (driftstream_outcome_events{{{MINE}}} / on (model, model_version, segment) driftstream_window_events{{{MINE}, window="full"}})',
                "{{model_version}} {{segment}}",
            ),
            unit="percentunit",
        ),
        rows(
            "Outcomes",
            "Every metric of the last full window, whole stream, beside the reference's. Estimated is from scores alone: right if the truth follows the score as it did.",
            [
                (
                    f'max by (metric, model_version) (driftstream_outcome{{{MINE}, segment=""}})',
                    "now",
                ),
                (
                    f'max by (metric, model_version) (driftstream_outcome_low{{{MINE}, segment=""}})',
                    "at least",
                ),
                (
                    f'max by (metric, model_version) (driftstream_outcome_high{{{MINE}, segment=""}})',
                    "at most",
                ),
                (
                    f"max by (metric, model_version) (driftstream_outcome_reference{{{MINE}}})",
                    "reference",
                ),
                (
                    f'max by (metric, model_version) (driftstream_outcome_estimated{{{MINE}, segment=""}})',
                    "estimated",
                ),
            ],
            width=24,
        ),
        lines(
            "Limits: evidence",
            "How near an alarm each limit of yours is: 1 is an alarm, after which evidence begins anew.",
            (
                f"max by (limit, model_version) (driftstream_limit_evidence{{{MINE}}})",
                "{{limit}} {{model_version}}",
            ),
            width=24,
        ),
        rows(
            "Fairness",
            "Rates by value of protected columns as last judged, beside the reference's.",
            [
                (
                    f"max by (segment, metric, model_version) (driftstream_fairness{{{MINE}}})",
                    "now",
                ),
                (
                    f"max by (segment, metric, model_version) (driftstream_fairness_low{{{MINE}}})",
                    "at least",
                ),
                (
                    f"max by (segment, metric, model_version) (driftstream_fairness_high{{{MINE}}})",
                    "at most",
                ),
                (
                    f"max by (segment, metric, model_version) (driftstream_fairness_reference{{{MINE}}})",
                    "reference",
                ),
            ],
            width=12,
        ),
        lines(
            "Fairness: disparities",
            "How far two values of a protected column are apart, as last judged, and in the reference.",
            (
                f"max by (segment, metric, model_version) (driftstream_fairness_disparity{{{MINE}}})",
                "{{metric}} by {{segment}} {{model_version}}",
            ),
            (
                f"max by (segment, metric, model_version) (driftstream_fairness_disparity_reference{{{MINE}}})",
                "reference: {{metric}} by {{segment}} {{model_version}}",
            ),
        ),
        rows(
            "Tests of the last full window",
            "Value and threshold of every test, whole stream.",
            [
                (
                    f'max by (signal, test, model_version) (driftstream_drift_score{{{MINE}, segment=""}})',
                    "value",
                ),
                (
                    f'max by (signal, test, model_version) (driftstream_drift_threshold{{{MINE}, segment=""}})',
                    "threshold",
                ),
                (f"max by (signal, test, model_version) ({mine})", "of its threshold"),
            ],
            width=24,
            links={"signal": to_signal},
        ),
    ]
    variables = [
        variable(
            "model",
            "Model",
            f"label_values({narrowed('driftstream_budget_false_alarms_per_week')}, model)",
        ),
        variable(
            "version",
            "Versions",
            'label_values(driftstream_budget_false_alarms_per_week{model="$model"}, model_version)',
            several=True,
        ),
        variable(
            "signal",
            "Signal",
            f'label_values(driftstream_drift_score{{{MINE}, segment=""}}, signal)',
        ),
        variable(
            "metric",
            "Metric of outcomes",
            f'label_values(driftstream_outcome{{{MINE}, segment=""}}, metric)',
        ),
    ]
    episodes = (
        dashboard.AnnotationQuery()
        .name("Episodes")
        .datasource(SOURCE)
        .enable(True)
        .icon_color("red")
        .expr(narrowed(f"max by (kind, severity, summary) (driftstream_alert_info{{{MINE}}})"))
    )
    return board(
        "driftstream-model",
        "driftstream: Model",
        "One model's signals, and what moved.",
        panels,
        variables,
        [episodes],
    )


def pipeline() -> Any:
    """Throughput, lag, time, refusals, resources."""
    mine = '{job="driftstream"}'
    part = "{{topic}}[{{partition}}]"
    delay = f"sum by (le) (rate(driftstream_detection_delay_seconds_bucket{RATE}))"
    panels = [
        number("Workers", "Workers that answer.", (f"sum(up{mine})", "")),
        number(
            "Lost",
            "Gaps that retention cut into the logs, ever seen by these workers.",
            ("sum(driftstream_declared_loss_total)", ""),
            colours=((None, "green"), (1, "red")),
        ),
        number(
            "Series left out",
            "Most series that a worker folded into __other__.",
            ("max(driftstream_series_dropped_total)", ""),
            colours=((None, "green"), (1, "yellow")),
        ),
        number(
            "Versions",
            "What runs.",
            ("count by (version) (driftstream_build_info)", "{{version}}"),
            width=12,
        ),
        lines(
            "Events",
            "Events read a second.",
            (
                f"sum by (model, outcome) (rate(driftstream_events_total{RATE}))",
                "{{model}} {{outcome}}",
            ),
            unit="cps",
        ),
        lines(
            "Lag",
            "Records in the log and not handled yet.",
            ("max by (topic, partition) (driftstream_consumer_lag_records)", part),
        ),
        lines(
            "Event time behind the clock",
            "Age of the largest event time seen in each partition.",
            ("time() - max by (topic, partition) (driftstream_watermark_timestamp_seconds)", part),
            unit="s",
        ),
        lines(
            "Newest event",
            "Age of the newest event of each topic.",
            ("min by (topic) (driftstream_event_age_seconds)", "{{topic}}"),
            unit="s",
        ),
        lines(
            "Refused records",
            "Records a second to the dead-letter topic.",
            (f"sum by (reason) (rate(driftstream_rejected_total{RATE}))", "{{reason}}"),
            unit="cps",
        ),
        lines(
            "Late events",
            "Share of events that came after their pane was sealed.",
            (
                f'sum by (model) (rate(driftstream_events_judged_total{{outcome="late"}}{RATE}))'
                f" / (sum by (model) (rate(driftstream_events_judged_total{RATE})) > 0)",
                "{{model}}",
            ),
            unit="percentunit",
        ),
        lines(
            "Refused summaries",
            "Summaries that stage 2 did not take in.",
            ("sum by (reason) (driftstream_summaries_refused_total)", "{{reason}}"),
        ),
        lines(
            "Age of the snapshots",
            "Since when the state of each summaries partition was not written.",
            ("time() - max by (topic, partition) (driftstream_snapshot_timestamp_seconds)", part),
            unit="s",
        ),
        lines(
            "Detection delay",
            "From the event time of an alert's decision to its publication.",
            (f"histogram_quantile(0.5, {delay})", "half of all"),
            (f"histogram_quantile(0.9, {delay})", "nine of ten"),
            unit="s",
        ),
        lines(
            "Alert events in an hour",
            "Revisions included.",
            (
                "round(sum by (kind, status) (increase(driftstream_alerts_total[1h])))",
                "{{kind}} {{status}}",
            ),
        ),
        lines(
            "Notifications waiting",
            "Alert events that a target of driftstream notify has not had.",
            ("max by (target) (driftstream_notify_lag_records)", "{{target}}"),
        ),
        lines(
            "Notifications a minute",
            "Requests that each target took, and those it did not.",
            (
                f"60 * sum by (target) (rate(driftstream_notify_delivered_total{RATE}))",
                "{{target}} taken",
            ),
            (
                f"60 * sum by (target) (rate(driftstream_notify_failed_total{RATE}))",
                "{{target}} not taken",
            ),
        ),
        lines(
            "Time for a batch",
            "Mean time spent on a batch of records.",
            (
                f"sum by (instance) (rate(driftstream_batch_duration_seconds_sum{RATE}))"
                f" / (sum by (instance) (rate(driftstream_batch_duration_seconds_count{RATE})) > 0)",
                "{{instance}}",
            ),
            unit="s",
        ),
        lines(
            "Memory",
            "Resident memory of each worker.",
            (f"process_resident_memory_bytes{mine}", "{{instance}}"),
            unit="bytes",
        ),
        lines(
            "Processor",
            "Cores that each worker uses.",
            (f"rate(process_cpu_seconds_total{mine}{RATE})", "{{instance}}"),
        ),
        lines(
            "Open files",
            "File descriptors of each worker.",
            (f"process_open_fds{mine}", "{{instance}}"),
        ),
    ]
    return board(
        "driftstream-pipeline",
        "driftstream: Pipeline",
        "Whether driftstream itself is well.",
        panels,
        [],
    )


def dashboards() -> dict[str, str]:
    """File name -> JSON text."""
    made = {"fleet": fleet(), "model": one_model(), "pipeline": pipeline()}
    texts = {}
    for name, builder in made.items():
        plain = json.loads(json.dumps(builder.build(), cls=JSONEncoder))
        for number_, panel in enumerate(plain["panels"], 1):
            panel["id"] = number_
        for note in (plain.get("annotations") or {}).get("list") or []:
            # What the Prometheus data source reads beside the SDK's own members.
            note |= {
                "step": "30s",
                "titleFormat": "{{severity}} {{kind}}",
                "textFormat": "{{summary}}",
            }
        texts[f"{name}.json"] = json.dumps(plain, indent=2, sort_keys=True) + "\n"
    return texts


def main() -> None:
    """Write the files."""
    OUT.mkdir(exist_ok=True)
    for name, text in dashboards().items():
        (OUT / name).write_text(text)


if __name__ == "__main__":
    main()
