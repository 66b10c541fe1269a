"""Pretrained encoders of text, images and audio by name: where they are, how they load, what goes in and out."""
