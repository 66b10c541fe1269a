"""Whether what `dvc repro` needs is there: a line a thing, what its absence disables, and what to do about it."""
