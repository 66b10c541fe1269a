"""Variants and experiments side by side, those of the workspace from its files and all others from MLflow."""
