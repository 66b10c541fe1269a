"""The published reference checkpoints: read into a model's folder, and written from one."""
