"""Segments: recordings cut into pieces of one length, as MP3 in the reference's folders."""
