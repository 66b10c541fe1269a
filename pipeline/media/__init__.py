"""Safe decoding of untrusted files: recordings, pictures, pages."""
