"""Publishing: one variant's model with an index of all tracks, and its metrics under a stable name."""
