"""Music for a film that is in no data set: its query embedded, and the index of tracks searched."""
