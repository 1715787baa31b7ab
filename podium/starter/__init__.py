"""`podium init`: a starter project for one's own data and model, which runs as it is written."""
