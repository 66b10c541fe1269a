"""The engine on a Ray cluster, which `pipeline.core.workers` chooses where the environment names it."""
