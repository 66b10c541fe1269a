"""Films from saved pages and posters: title, year, tags, plot and image."""
