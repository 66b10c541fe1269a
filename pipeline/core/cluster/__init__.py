"""The engine for a Ray cluster, used by `pipeline.core.workers` if the environment selects it."""
