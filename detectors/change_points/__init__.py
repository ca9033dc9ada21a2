"""What changed, when, and in words."""

__all__ = ["changepoint", "explain", "history", "shape"]
