"""Evalsets, answer extraction, scorers and metrics. No JAX, no tokenizer."""
