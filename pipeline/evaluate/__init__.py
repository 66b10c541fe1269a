"""Evaluation: every film of the test set (`eval`) ranks all tracks of that set; standard metrics over films."""
