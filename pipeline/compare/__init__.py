"""Comparison: all variants side by side, significant differences, and a report with excerpts of the music."""
