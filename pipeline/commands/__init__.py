"""The commands of `python -m pipeline`: one file per command."""
