"""Benchmarks: `python -m benchmarks.NAME [--json]` measures ratios in one run and ends with a report."""
