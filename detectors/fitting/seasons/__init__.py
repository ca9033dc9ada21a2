"""Seasons of a reference: which hours of the week are alike, and how much each varies."""

__all__: list[str] = []
