"""A table of variants and experiments: those of the workspace from its files, all others from MLflow."""
