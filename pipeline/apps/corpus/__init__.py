"""The list of films: add films, check the list, and estimate the cost of fetching it."""
