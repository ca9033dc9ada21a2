"""Reports: one self-contained HTML file of an episode or of a replay."""

from stream.report.document import render
from stream.report.from_alerts import report_of_episode
from stream.report.from_replay import ReplayRecorder
from stream.report.model import Report, TestRow

__all__ = ["ReplayRecorder", "Report", "TestRow", "render", "report_of_episode"]
