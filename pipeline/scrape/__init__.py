"""Articles and posters from the web, one row per film."""
