"""MLflow: one run a trained variant, with its curves, its figures and its model; how each is found again."""
