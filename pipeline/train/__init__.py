"""Training: one data set, one loss, one loop for every variant."""
