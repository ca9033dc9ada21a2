"""Reports of an episode or of a replay: one self-contained HTML file, or Markdown for tickets."""

from stream.report.document import render
from stream.report.from_alerts import report_of_episode
from stream.report.from_replay import ReplayRecorder
from stream.report.markdown import render_markdown
from stream.report.model import Report, TestRow

__all__ = [
    "ReplayRecorder",
    "Report",
    "TestRow",
    "render",
    "render_markdown",
    "report_of_episode",
]
