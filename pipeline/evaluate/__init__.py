"""Evaluation: every film of the evaluation split ranks all tracks of that split; standard metrics over films."""
