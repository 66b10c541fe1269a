"""Publishing: one variant's model with an index of all tracks, and its figures under one stable name."""
