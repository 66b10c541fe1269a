"""MLflow's pages for this repository's runs, on loopback, opening on a view made for comparing variants."""
