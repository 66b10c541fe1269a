"""Runs in MLflow from files: for models that DVC restored from its cache, without training."""
