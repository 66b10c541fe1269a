"""The feature tables: writing, caching by content, and reading by training, evaluation and publishing."""
