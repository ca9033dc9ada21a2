"""Distances between histograms, and the null laws of these and other statistics."""

__all__ = ["bridge", "divergences", "folded", "quadratic", "scarce", "special"]
