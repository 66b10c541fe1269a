"""A page to find music for a film, and the same as an HTTP API."""
