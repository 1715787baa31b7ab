"""The names of a run folder's files. `RUN/checkpoints/STEP/` holds the checkpoints."""

CONFIG = "config.yaml"  # the RunConfig, fully resolved
PROVENANCE = "provenance.json"  # code, libraries, machine, hashes of the inputs
METRICS = "metrics.jsonl"  # one line per logged step
CHECKPOINTS = "checkpoints"
PREDICTIONS = "predictions.jsonl"
PREDICTIONS_META = "predictions_meta.json"  # what was predicted, and how
SCORECARD = "scorecard.json"

# Of a submission run:
LOCK = "lock.json"
CLAIM = "claim.json"
JOURNAL = "attempt.jsonl"  # the phases of the attempt, over all its sessions
MANIFEST = "run_manifest.json"
SUMMARY = "eval_summary.json"
OUTPUT_LOG = "kaggle_output_log.txt"
CHALLENGE_PREDICTIONS = "challenge_predictions.jsonl"  # if eval.challenges was answered
SUBMISSION = "submission.json"  # if the competition takes such a file (ARC)
SUBMISSION_CSV = "submission.csv"  # of unlabelled items of any other kind
