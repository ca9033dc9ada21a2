"""What the demos print: headings, alerts that have news, and which signals drifted when."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from detectors.figures import figures
from stream.contracts.alert_event import AlertEvent, is_reminder
from stream.text.counted import counted
from stream.text.printable import printable

__all__ = ["Teller", "heading", "summary"]


def heading(console: Console, words: str) -> None:
    """Print a heading."""
    console.print(f"\n[bold]{words}[/]\n{'-' * len(words)}")


class Teller:
    """Prints alerts that have news; a firing episode is published daily without any."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[str, AlertEvent] = {}

    def say(self, alert: AlertEvent) -> None:
        """Print an alert, unless it is a reminder."""
        before = self._last.get(alert.data.episode)
        self._last[alert.data.episode] = alert
        if not is_reminder(alert, before):
            _print(self._console, alert)


def _print(console: Console, alert: AlertEvent) -> None:
    data = alert.data
    colour = {"info": "cyan", "warning": "yellow", "critical": "red"}[data.severity]
    mark = "resolved" if data.status == "resolved" else data.severity
    summary = escape(printable(data.annotations.summary))
    console.print(f"[{colour}]{alert.time[:16]} {mark:>8}[/] {summary}")


def summary(console: Console, seen: list[AlertEvent]) -> None:
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
        shown = escape(printable(name))
        table.add_row(shown, kind, test, weeks[0], weeks[-1], *figures(peak, threshold))
    console.print(table)
    episodes = {a.data.episode: a for a in seen}
    resolved = sum(a.data.status == "resolved" for a in episodes.values())
    console.print(f"{counted(len(episodes), 'episode')} opened, {resolved} of them resolved.")
