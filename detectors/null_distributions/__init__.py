"""The laws of distances and other statistics where nothing changed."""

__all__ = ["bridge", "divergences", "folded", "quadratic", "scarce", "special"]
