"""Pretrained encoders of text, images and audio by name: locating, loading, inputs and outputs."""
