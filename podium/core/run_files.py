"""The names of a run folder's files. `RUN/checkpoints/STEP/` holds the checkpoints."""

CONFIG = "config.yaml"  # the RunConfig, fully resolved
PROVENANCE = "provenance.json"  # code, libraries, machine, hashes of the inputs
METRICS = "metrics.jsonl"  # one line per logged step
CHECKPOINTS = "checkpoints"
PREDICTIONS = "predictions.jsonl"
SCORECARD = "scorecard.json"
LOCK = "lock.json"  # of a submission run
