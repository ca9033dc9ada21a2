"""Names of metrics hold names of classes, and these are data."""

from __future__ import annotations

from stream.text.metric_words import metric_name


def test_a_class_s_name_is_made_harmless() -> None:
    assert metric_name("recall[owl]") == "recall of 'owl'"
    hostile = metric_name("f1[a\n2026-01-01 firing \x1b[31m\u202e]")
    assert hostile.isprintable()
    assert "firing" in hostile
    assert len(metric_name(f"precision[{'x' * 500}]")) < 70
