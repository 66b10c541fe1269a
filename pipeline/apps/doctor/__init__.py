"""Checks of the requirements of `dvc repro`: one line each, with what a missing one disables and the remedy."""
