"""What the dashboards are made of: queries, panels and variables in one manner."""

from __future__ import annotations

from collections.abc import Sequence
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


def steps(*colours: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """Colours from these values on."""
    found = [model.Threshold(value=value, color=colour) for value, colour in colours]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(found)


#: A test's value in units of its threshold: 1 is a finding.
DRIFT = ((None, "green"), (0.7, "yellow"), (1.0, "orange"), (2.0, "red"))
PLAIN = ((None, "green"),)


def _filled(
    panel: Any, title: str, words: str, queries: Sequence[Query], *, width: int, height: int,
    unit: str, colours: Sequence[tuple[float | None, str]], instant: bool = False,
    as_table: bool = False,
) -> Any:  # fmt: skip
    panel = (
        panel.title(title).description(words).datasource(SOURCE).span(width).height(height)
        .unit(unit).thresholds(steps(*colours))
    )  # fmt: skip
    for ref, (expression, legend) in zip("ABCDEFGH", queries):
        query = prometheus.Dataquery().ref_id(ref).expr(expression).legend_format(legend)
        query = query.datasource(SOURCE)
        query = query.instant() if instant else query.range()
        if as_table:
            query = query.format(PromQueryFormat.TABLE)
        panel = panel.with_target(query)
    return panel


def number(
    title: str, words: str, query: Query, *, unit: str = "short", width: int = 4,
    colours: Sequence[tuple[float | None, str]] = PLAIN, nothing: str = "0",
) -> Any:  # fmt: skip
    """Show one figure, or one for each series."""
    panel = stat.Panel().graph_mode(common_model.BigValueGraphMode.NONE).no_value(nothing)
    return _filled(panel, title, words, [query], width=width, height=4, unit=unit,
                   colours=colours, instant=True)  # fmt: skip


def lines(
    title: str, words: str, *queries: Query, unit: str = "short", width: int = 12,
    colours: Sequence[tuple[float | None, str]] = PLAIN, height: int = 8,
) -> Any:  # fmt: skip
    """Show series over time."""
    legend = (
        common.VizLegendOptions()
        .display_mode(common_model.LegendDisplayMode.LIST)
        .placement(common_model.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    panel = timeseries.Panel().fill_opacity(8).legend(legend)
    if colours is not PLAIN:
        style = common.GraphThresholdsStyleConfig().mode(
            common_model.GraphThresholdsStyleMode.DASHED
        )
        panel = panel.thresholds_style(style)
    return _filled(panel, title, words, queries, width=width, height=height, unit=unit,
                   colours=colours)  # fmt: skip


def heat(title: str, words: str, query: Query, *, height: int = 10) -> Any:
    """Show a row for each series, time to the right, coloured by value."""
    # More columns than this Grafana refuses to draw on a narrow screen.
    panel = statushistory.Panel().show_value(common_model.VisibilityMode.NEVER).max_data_points(150)
    panel = panel.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    return _filled(panel, title, words, [query], width=24, height=height, unit="short",
                   colours=DRIFT)  # fmt: skip


def states(title: str, words: str, query: Query, *, width: int = 12, height: int = 8) -> Any:
    """Show when something was so."""
    panel = statetimeline.Panel().show_value(common_model.VisibilityMode.NEVER)
    return _filled(panel, title, words, [query], width=width, height=height, unit="short",
                   colours=((None, "transparent"), (1, "red")))  # fmt: skip


def bars(
    title: str, words: str, query: Query, *, unit: str = "short", width: int = 12,
    colours: Sequence[tuple[float | None, str]] = DRIFT,
) -> Any:  # fmt: skip
    """Show the newest value of each series as a bar."""
    panel = bargauge.Panel().orientation(common_model.VizOrientation.HORIZONTAL).min(0)
    return _filled(panel, title, words, [query], width=width, height=8, unit=unit,
                   colours=colours, instant=True)  # fmt: skip


def side_by_side(
    title: str, words: str, category: str, columns: Sequence[tuple[str, str]], *, width: int = 12
) -> Any:
    """Show a group of bars for each value of the label `category`, with a bar for each column."""
    panel = (
        barchart.Panel().x_field(category).orientation(common_model.VizOrientation.VERTICAL)
        .show_value(common_model.VisibilityMode.NEVER).x_tick_label_rotation(-45).group_width(0.8)
    )  # fmt: skip
    queries = [(expression, "") for expression, _ in columns]
    panel = _filled(panel, title, words, queries, width=width, height=8, unit="percentunit",
                    colours=PLAIN, instant=True, as_table=True)  # fmt: skip
    heads = {f"Value #{ref}": head for ref, (_, head) in zip("ABCDEFGH", columns)}
    organise = {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": heads}
    by = {"fields": {}, "sort": [{"field": category}]}
    for id_, options in (("merge", {}), ("organize", organise), ("sortBy", by)):
        panel = panel.with_transformation(model.DataTransformerConfig(id_val=id_, options=options))
    return panel


def rows(
    title: str, words: str, columns: Sequence[tuple[str, str]], *, width: int = 12, link: str = ""
) -> Any:
    """Show a table: (expression, head) for each column, joined by their common labels."""
    panel = table.Panel()
    queries = [(expression, "") for expression, _ in columns]
    panel = _filled(panel, title, words, queries, width=width, height=9, unit="short",
                    colours=PLAIN, instant=True, as_table=True)  # fmt: skip
    several = len(columns) > 1
    if several:
        panel = panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    heads = {f"Value #{ref}" if several else "Value": head
             for ref, (_, head) in zip("ABCDEFGH", columns)}  # fmt: skip
    organise = {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": heads}
    panel = panel.with_transformation(
        model.DataTransformerConfig(id_val="organize", options=organise)
    )
    if link:
        to = model.DynamicConfigValue(id_val="links", value=[{"title": "Open", "url": link}])
        panel = panel.override_by_name("model", [to])
    return panel


def source_variable() -> Any:
    """Which Prometheus."""
    return dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")


def variable(name: str, label: str, query: str) -> Any:
    """A choice of a label's values."""
    return (
        dashboard.QueryVariable(name).label(label).datasource(SOURCE)
        .query({"query": query, "refId": name})
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
    )  # fmt: skip


def board(uid: str, title: str, words: str, panels: Sequence[Any], variables: Sequence[Any],
          annotations: Sequence[Any] = ()) -> Any:  # fmt: skip
    """Make a dashboard of its parts."""
    made = (
        dashboard.Dashboard(title).uid(uid).description(words).tags(["driftstream"])
        .time("now-6h", "now").refresh("30s").timezone("browser").readonly()
        .link(dashboard.DashboardLink("driftstream").type(model.DashboardLinkType.DASHBOARDS)
              .tags(["driftstream"]).include_vars(False).keep_time(True))
    )  # fmt: skip
    for each in (source_variable(), *variables):
        made = made.with_variable(each)
    for each in annotations:
        made = made.annotation(each)
    for panel in panels:
        made = made.with_panel(panel)
    return made
