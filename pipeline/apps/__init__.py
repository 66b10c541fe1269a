"""What commands run: everything that is not a stage of the pipeline."""
