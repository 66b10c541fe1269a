"""The split: every usable film in the training, validation or test set, in the reference's files and in one table."""
