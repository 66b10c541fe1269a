"""Soundtrack retrieval: find the music that fits a film's image, tags and plot."""
