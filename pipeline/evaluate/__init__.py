"""Evaluation: every film of the evaluation side ranks all tracks of that side; standard metrics over films."""
