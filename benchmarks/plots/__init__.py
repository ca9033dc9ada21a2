"""Plots of the statistics, drawn from stored results."""
