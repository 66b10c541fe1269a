"""MLflow made good from files: runs of models that DVC took out of its cache, without running their training."""
