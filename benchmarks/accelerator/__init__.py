"""Measures a machine with an accelerator: `python -m benchmarks.accelerator`. One file per part."""
