"""Saved pages and posters made into films: title, year, tags, plot and image."""
