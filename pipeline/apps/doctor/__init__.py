"""Whether what `dvc repro` needs is there: one line per thing, what its absence disables, and what to do about it."""
