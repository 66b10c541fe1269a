"""Index a folder of music for search: `python -m pipeline index`."""
