"""What the dashboards are made of: queries, panels and variables in one manner."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from grafana_foundation_sdk.builders import (
    barchart,
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    statushistory,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
#: (expression, legend)
Query = tuple[str, str]
#: A metric of ours with its selector, if it has one.
_METRIC = re.compile(r"\b(driftstream_[a-z0-9_]+|process_[a-z_]+|up)\b(\{([^}]*)\})?")


def narrowed(expression: str) -> str:
    """An expression about the processes that were chosen only: those of an environment."""

    def of(found: re.Match[str]) -> str:
        chosen = ", ".join(filter(None, (found[3], 'instance=~"$instance"')))
        return f"{found[1]}{{{chosen}}}"

    return _METRIC.sub(of, expression)


def steps(*colours: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """Colours from these values on."""
    found = [model.Threshold(value=value, color=colour) for value, colour in colours]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(found)


#: A test's value in units of its threshold: 1 is a finding.
DRIFT = ((None, "green"), (0.7, "yellow"), (1.0, "orange"), (2.0, "red"))
PLAIN = ((None, "green"),)


def _filled(
    panel: Any,
    title: str,
    words: str,
    queries: Sequence[Query],
    *,
    width: int,
    height: int,
    unit: str,
    colours: Sequence[tuple[float | None, str]],
    instant: bool = False,
    as_table: bool = False,
) -> Any:
    panel = (
        panel.title(title)
        .description(words)
        .datasource(SOURCE)
        .span(width)
        .height(height)
        .unit(unit)
        .thresholds(steps(*colours))
    )
    for ref, (expression, legend) in zip("ABCDEFGH", queries):
        query = prometheus.Dataquery().ref_id(ref).expr(narrowed(expression)).legend_format(legend)
        query = query.datasource(SOURCE)
        query = query.instant() if instant else query.range()
        if as_table:
            query = query.format(PromQueryFormat.TABLE)
        panel = panel.with_target(query)
    return panel


def _legend() -> Any:
    return (
        common.VizLegendOptions()
        .display_mode(common_model.LegendDisplayMode.LIST)
        .placement(common_model.LegendPlacement.BOTTOM)
        .show_legend(True)
    )


def palette() -> Any:
    """A colour of its own for each series."""
    return dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC)


def number(
    title: str,
    words: str,
    query: Query,
    *,
    unit: str = "short",
    width: int = 4,
    colours: Sequence[tuple[float | None, str]] = PLAIN,
    nothing: str = "0",
) -> Any:
    """Show one figure, or one for each series."""
    panel = stat.Panel().graph_mode(common_model.BigValueGraphMode.NONE).no_value(nothing)
    return _filled(
        panel,
        title,
        words,
        [query],
        width=width,
        height=4,
        unit=unit,
        colours=colours,
        instant=True,
    )


def lines(
    title: str,
    words: str,
    *queries: Query,
    unit: str = "short",
    width: int = 12,
    colours: Sequence[tuple[float | None, str]] = PLAIN,
    height: int = 8,
) -> Any:
    """Show series over time."""
    panel = timeseries.Panel().fill_opacity(8).legend(_legend())
    if colours is not PLAIN:
        style = common.GraphThresholdsStyleConfig().mode(
            common_model.GraphThresholdsStyleMode.DASHED
        )
        panel = panel.thresholds_style(style)
    return _filled(
        panel, title, words, queries, width=width, height=height, unit=unit, colours=colours
    )


def heat(title: str, words: str, query: Query, *, height: int = 10) -> Any:
    """Show a row for each series, time to the right, coloured by value."""
    # More columns than this Grafana refuses to draw on a narrow screen.
    panel = statushistory.Panel().show_value(common_model.VisibilityMode.NEVER).max_data_points(150)
    panel = panel.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    return _filled(
        panel, title, words, [query], width=24, height=height, unit="short", colours=DRIFT
    )


def states(title: str, words: str, query: Query, *, width: int = 12, height: int = 8) -> Any:
    """Show when something was so."""
    panel = statetimeline.Panel().show_value(common_model.VisibilityMode.NEVER)
    return _filled(
        panel,
        title,
        words,
        [query],
        width=width,
        height=height,
        unit="short",
        colours=((None, "transparent"), (1, "red")),
    )


def bars(
    title: str,
    words: str,
    query: Query,
    *,
    unit: str = "short",
    width: int = 12,
    colours: Sequence[tuple[float | None, str]] = DRIFT,
) -> Any:
    """Show the newest value of each series as a bar."""
    panel = bargauge.Panel().orientation(common_model.VizOrientation.HORIZONTAL).min(0)
    return _filled(
        panel,
        title,
        words,
        [query],
        width=width,
        height=8,
        unit=unit,
        colours=colours,
        instant=True,
    )


def side_by_side(
    title: str,
    words: str,
    category: str,
    columns: Sequence[tuple[str, str]],
    *,
    width: int = 12,
    repeat: str = "",
) -> Any:
    """Show a group of bars for each value of the label `category`, with a bar for each column.

    There is a panel for each choice of the variable `repeat`.
    """
    panel = (
        barchart.Panel()
        .x_field(category)
        .orientation(common_model.VizOrientation.VERTICAL)
        .show_value(common_model.VisibilityMode.NEVER)
        .x_tick_label_rotation(-45)
        .group_width(0.8)
        .legend(_legend())
        .color_scheme(palette())
    )
    if repeat:
        panel = panel.repeat(repeat).repeat_direction("h")
    queries = [(expression, "") for expression, _ in columns]
    panel = _filled(
        panel,
        title,
        words,
        queries,
        width=width,
        height=8,
        unit="percentunit",
        colours=PLAIN,
        instant=True,
        as_table=True,
    )
    heads = {f"Value #{ref}": head for ref, (_, head) in zip("ABCDEFGH", columns)}
    organise = {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": heads}
    by = {"fields": {}, "sort": [{"field": category}]}
    for id_, options in (("merge", {}), ("organize", organise), ("sortBy", by)):
        panel = panel.with_transformation(model.DataTransformerConfig(id_val=id_, options=options))
    return panel


def rows(
    title: str,
    words: str,
    columns: Sequence[tuple[str, str]],
    *,
    width: int = 12,
    height: int = 9,
    links: Mapping[str, str] = {},
    order: Sequence[str] = (),
    nothing: str = "",
) -> Any:
    """Show a table: (expression, head) for each column, joined by their common labels.

    `links` are addresses by column. A column whose head is "" is left out.
    """
    panel = table.Panel()
    if nothing:
        panel = panel.no_value(nothing)
    queries = [(expression, "") for expression, _ in columns]
    panel = _filled(
        panel,
        title,
        words,
        queries,
        width=width,
        height=height,
        unit="short",
        colours=PLAIN,
        instant=True,
        as_table=True,
    )
    several = len(columns) > 1
    if several:
        panel = panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    heads = {
        f"Value #{ref}" if several else "Value": head for ref, (_, head) in zip("ABCDEFGH", columns)
    }
    organise = {
        "excludeByName": {"Time": True} | {name: True for name, head in heads.items() if not head},
        "indexByName": {name: at for at, name in enumerate(order)},
        "renameByName": {name: head for name, head in heads.items() if head},
    }
    panel = panel.with_transformation(
        model.DataTransformerConfig(id_val="organize", options=organise)
    )
    for column, url in links.items():
        to = model.DynamicConfigValue(id_val="links", value=[{"title": "Open", "url": url}])
        panel = panel.override_by_name(column, [to])
    if "summary" in order:
        cell = model.DynamicConfigValue(
            id_val="custom.cellOptions", value={"type": "auto", "wrapText": True}
        )
        width_ = model.DynamicConfigValue(id_val="custom.width", value=900)
        panel = panel.override_by_name("summary", [cell, width_])
    return panel


def source_variable() -> Any:
    """Which Prometheus."""
    return dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")


def page_variable() -> Any:
    """Where a browser finds a worker's page, which has the runbooks too."""
    return (
        dashboard.TextBoxVariable("page")
        .label("A worker's page")
        .default_value("http://127.0.0.1:9464")
    )


def variable(name: str, label: str, query: str, *, several: bool = False) -> Any:
    """A choice of a label's values, or of several, all at first."""
    chosen = (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query({"query": query, "refId": name})
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
    )
    if not several:
        return chosen
    everything = model.VariableOption(text="All", value="$__all", selected=True)
    return chosen.multi(True).include_all(True).current(everything)


def process_variables() -> list[Any]:
    """Which environment, and which of its processes: all panels are about those."""
    info = "driftstream_build_info"
    return [
        variable("environment", "Environment", f"label_values({info}, environment)", several=True),
        variable(
            "instance",
            "Process",
            f'label_values({info}{{environment=~"$environment"}}, instance)',
            several=True,
        ),
    ]


def _away(title: str, url: str) -> Any:
    return (
        dashboard.DashboardLink(title)
        .type(model.DashboardLinkType.LINK)
        .url(url)
        .icon("external link")
        .target_blank(True)
    )


def board(
    uid: str,
    title: str,
    words: str,
    panels: Sequence[Any],
    variables: Sequence[Any],
    annotations: Sequence[Any] = (),
) -> Any:
    """Make a dashboard of its parts."""
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(words)
        .tags(["driftstream"])
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("browser")
        .readonly()
        .link(
            dashboard.DashboardLink("driftstream")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags(["driftstream"])
            .include_vars(False)
            .keep_time(True)
        )
        .link(_away("Worker's page", "${page}/"))
        .link(_away("Runbooks", "${page}/runbooks/"))
    )
    for each in (source_variable(), *process_variables(), *variables, page_variable()):
        made = made.with_variable(each)
    for each in annotations:
        made = made.annotation(each)
    for panel in panels:
        made = made.with_panel(panel)
    return made
