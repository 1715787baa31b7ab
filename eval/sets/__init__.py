"""Evalsets, their import, prompts and predictions, and the overlap of evalsets with trainsets."""
