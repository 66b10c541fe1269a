"""The split: every usable film in train, valid or eval, in the reference's files and in one table."""
