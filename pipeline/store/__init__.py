"""The feature tables: how they are written, kept by content, and read by training, evaluation and publishing."""
