"""Training: one sampler, one loss, one loop for every variant."""
