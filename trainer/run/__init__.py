"""One training run: its state, folder, checkpoints, counters and provenance."""
