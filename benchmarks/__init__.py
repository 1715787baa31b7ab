"""Benchmarks: `python -m benchmarks.NAME [--json]` measures both sides in one run and prints a report."""
