"""`dvc repro` in parallel: as many stages at once as there are cores or GPUs."""
