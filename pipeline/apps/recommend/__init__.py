"""Recommend music for any film: embed the query and search an index of tracks."""
