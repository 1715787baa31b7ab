"""The evidence of a submission run: which files it has, what is predicted, and how the predictions are scored.

podium/submission/summary.py has eval_summary.json, podium/submission/manifest.py run_manifest.json.
"""

from collections.abc import Sequence
from pathlib import Path

from eval.arc_submission import makes_attempts, write_arc_submission
from eval.scorecard import Scorecard, score_predictions
from eval.scorers import get_scorer
from eval.sets.evalset import load_evalset
from eval.sets.prompts import load_challenges
from podium.core import run_files
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.hashing import sha256_file
from podium.core.paths import find_file
from podium.core.records import Prediction, Prompt, Question, Sample, read_records
from podium.submission.claim import UnlabelledFile
from podium.submission.lock import Lock
from podium.submission.unlabelled import read_unlabelled

# The files that every complete run has beside its manifest, which holds their hashes. The scorecard is not among them,
# because anyone can compute it from these.
EVIDENCE = (
    *(run_files.LOCK, run_files.SUMMARY, run_files.OUTPUT_LOG, run_files.PREDICTIONS),
    *(run_files.METRICS, run_files.CONFIG, run_files.PROVENANCE),
)
OPTIONAL_EVIDENCE = (
    *(run_files.JOURNAL, run_files.PREDICTIONS_META, run_files.SUBMISSION, run_files.SUBMISSION_CSV),
    run_files.CHALLENGE_PREDICTIONS,
)


def submission_samples(config: RunConfig) -> dict[str, tuple[Sample, ...]]:
    """The samples that a submission is scored on, by split: eval.submission_split, then dev for comparison.

    Raises:
        UsageError: the evalset is missing or malformed, or a split has no items.
    """
    evalset = load_evalset(config.eval.evalset)
    return {split: evalset.split(split, config.eval.max_items) for split in (config.eval.submission_split, "dev")}


def challenges(config: RunConfig) -> list[Question]:
    """The questions in the file eval.challenges; empty if the config names no file.

    Raises:
        UsageError: the file is missing or malformed, or the scorer makes no attempts.
    """
    # A competition replaces this file for its final run: the lock holds the path only, the evidence the file's hash.
    path = config.eval.challenges
    return [] if path is None else load_challenges(find_file(path), chosen_scorer(config))


def to_predict(config: RunConfig) -> list[Sample]:
    """Every sample of `submission_samples` once; eval.submission_split comes first, in case time runs out."""
    return list({sample.id: sample for samples in submission_samples(config).values() for sample in samples}.values())


def targets(config: RunConfig, test: UnlabelledFile | None = None) -> dict[str, Sequence[Prompt]]:
    """The prompts to answer, by the predictions file that the answers go to, in the order in which they are answered.

    Raises:
        UsageError: a file is missing or malformed, or there are two files of unlabelled items.
    """
    if test is None:
        asked = challenges(config)  # first, because the competition scores these
        return {
            **({run_files.CHALLENGE_PREDICTIONS: asked} if asked else {}),
            run_files.PREDICTIONS: to_predict(config),
        }
    if config.eval.challenges is not None:
        raise UsageError(
            f"--test {test.path}: the lock already answers eval.challenges={config.eval.challenges!r}; "
            "leave --test out, or lock a config without eval.challenges"
        )
    return {run_files.PREDICTIONS: read_unlabelled(test, chosen_scorer(config))}


def read_predictions(run_dir: Path) -> list[Prediction]:
    """predictions.jsonl. Raises UsageError if it is missing or malformed."""
    return read_records(Prediction, run_dir / run_files.PREDICTIONS)


def score(lock: Lock, run_dir: Path, config: RunConfig | None = None) -> dict[str, Scorecard]:
    """Score predictions.jsonl on each split, eval.submission_split first.

    `config` is the lock's, unless the data is elsewhere now. Raises UsageError for a bad file.
    """
    config = config or lock.run_config()
    evalset = load_evalset(config.eval.evalset)
    predictions = read_predictions(run_dir)
    cards = {}
    for split, samples in submission_samples(config).items():
        ids = {sample.id for sample in samples}
        cards[split] = score_predictions(
            samples,
            [prediction for prediction in predictions if prediction.id in ids],
            chosen_scorer(config),
            lock.seeds["bootstrap"],
            evalset=evalset.scored_set(split, config.eval.max_items),
        )
    return cards


def chosen_scorer(config: RunConfig) -> str:
    return load_evalset(config.eval.evalset).chosen_scorer(config.eval.scorer)


def scorer_title(config: RunConfig) -> str:
    """The scorer with its version, as a lock names it."""
    return get_scorer(chosen_scorer(config)).title


def write_submission(lock: Lock, run_dir: Path, config: RunConfig | None = None) -> bool:
    """Write submission.json if the scorer makes attempts, and return whether it was written.

    It answers eval.challenges if the config names them, else the items of eval.submission_split.
    """
    config = config or lock.run_config()
    if not makes_attempts(chosen_scorer(config)):
        return False
    prompts: Sequence[Prompt] = challenges(config) or submission_samples(config)[config.eval.submission_split]
    file = run_files.CHALLENGE_PREDICTIONS if config.eval.challenges else run_files.PREDICTIONS
    predictions = read_records(Prediction, run_dir / file)
    write_arc_submission(run_dir / run_files.SUBMISSION, prompts, predictions, chosen_scorer(config))
    return True


def files_of(run_dir: Path) -> tuple[str, ...]:
    """The names of the evidence files of a complete run, without its manifest."""
    return (*EVIDENCE, *(name for name in OPTIONAL_EVIDENCE if (run_dir / name).exists()))


def hash_files(run_dir: Path) -> dict[str, str]:
    """The sha256 of every evidence file by name, for the manifest."""
    return {name: sha256_file(run_dir / name) for name in files_of(run_dir)}
