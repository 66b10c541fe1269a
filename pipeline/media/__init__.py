"""Files of strangers, opened safely: recordings, pictures, pages."""
