"""Recordings: every URL of every film's `soundtrack`, fetched with yt-dlp and verified by decoding."""
