"""Comparison: all variants side by side, which differences are real, and a report to read and listen to."""
