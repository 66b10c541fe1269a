"""Recordings cut into segments of one length, as MP3 in the reference's folders."""
