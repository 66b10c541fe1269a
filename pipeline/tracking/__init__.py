"""MLflow: one run per trained variant, with its curves, metrics and model, and how to find it."""
