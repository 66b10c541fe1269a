"""Segments of one length cut from recordings, in the reference's folders."""
