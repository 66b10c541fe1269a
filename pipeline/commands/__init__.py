"""What is typed: a file per word after `python -m pipeline`. What stages/ is for DVC."""
