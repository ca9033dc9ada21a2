"""What came by score, reference and window side by side, with the window's intervals."""

from __future__ import annotations

from typing import Final

from stream.report.html import Markup
from stream.report.outcomes import Reliability, score_words
from stream.report.svg import bar, chart, label, line
from stream.report.words import percent

__all__ = ["reliability"]

_PLOT_PX: Final = 120
_TOP_PX: Final = 14
_BASE_PX: Final = _TOP_PX + _PLOT_PX
#: Of the bars of a group, as shares of its width: before and behind the reference's, and now's.
_USUAL, _NOW = 0.07, 0.27


def reliability(of: Reliability, name: str) -> Markup:
    """Draw the share that came in each group of scores, from low scores to high ones."""
    groups = of.scores
    shares = [share for s in groups for share in (s.reference, s.high) if share is not None]
    top, width = max((*shares, 1e-9)), 1.0 / len(groups)
    drawn = [line(0, _TOP_PX, 1, _TOP_PX, "grid"), label(0, 10, percent(top), kind="axis")]
    drawn.append(line(0, _TOP_PX + _PLOT_PX / 2, 1, _TOP_PX + _PLOT_PX / 2, "grid"))
    for at, score in enumerate(groups):
        words = score_words(score)
        for share, inset, kind in ((score.reference, _USUAL, "ref"), (score.window, _NOW, "win")):
            if share is None:
                continue
            height = _PLOT_PX * share / top
            x, wide = (at + inset) * width, (1.0 - 2.0 * inset) * width
            drawn.append(bar(x, _BASE_PX - height, wide, height, kind, words))
        if score.low is not None and score.high is not None:
            low, high = (_BASE_PX - _PLOT_PX * end / top for end in (score.low, score.high))
            drawn.append(line((at + 0.5) * width, low, (at + 0.5) * width, high, "tick"))
    drawn.append(line(0, _BASE_PX, 1, _BASE_PX, "base"))
    every = max(1, len(of.marks) // 4)
    for at, mark in enumerate(of.marks, start=1):
        if at % every == 0:
            drawn.append(label(at * width, 16 + _BASE_PX, mark, anchor="middle", kind="axis"))
    words = (
        f"Share of events whose truth {of.what}, by score from low to high, reference and window. "
        f"{'; '.join(map(score_words, groups))}."
    )
    return chart(name, words, _PLOT_PX + 38, drawn, kind="bars reliability")
