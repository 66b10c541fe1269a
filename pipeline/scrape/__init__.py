"""Articles and posters from the web, each film's outcome in a row."""
