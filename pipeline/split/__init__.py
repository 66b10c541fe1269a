"""The split: every usable film on one side, in the reference's files and in one table."""
