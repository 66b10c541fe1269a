"""One's own music, embedded so that it can be searched: `python -m pipeline index`."""
