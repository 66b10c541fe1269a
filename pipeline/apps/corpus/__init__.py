"""The list of films: written, filled from a category, checked, and weighed before anything is fetched."""
