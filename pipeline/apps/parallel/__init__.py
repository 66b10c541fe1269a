"""Stages side by side: what `dvc repro` does one stage at a time, as many at once as there are cores or GPUs."""
