"""Figures of populations of works, and the statistics of figures."""
