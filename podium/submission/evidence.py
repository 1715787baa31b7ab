"""The evidence of a submission run, computed from the files that the run wrote.

eval_summary.json is computed from predictions.jsonl and the evalset. podium/submission/manifest.py has the manifest.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from eval.arc_submission import makes_attempts, write_arc_submission
from eval.scorecard import Scorecard, score_predictions
from eval.sets.evalset import load_evalset
from eval.sets.prompts import load_challenges
from podium.core import run_files
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.files import read_json, read_jsonl
from podium.core.hashing import sha256_file
from podium.core.paths import find_file
from podium.core.records import Prediction, Prompt, Question, Record, Sample, read_records
from podium.submission.claim import UnlabelledFile
from podium.submission.lock import Lock
from podium.submission.unlabelled import UnscoredSummary, read_unlabelled

# The files that every complete run has beside its manifest, which holds their hashes. The scorecard is not among them,
# because anyone can compute it from these.
EVIDENCE = (
    *(run_files.LOCK, run_files.SUMMARY, run_files.OUTPUT_LOG, run_files.PREDICTIONS),
    *(run_files.METRICS, run_files.CONFIG, run_files.PROVENANCE),
)
OPTIONAL_EVIDENCE = (
    *(run_files.JOURNAL, run_files.SUBMISSION, run_files.SUBMISSION_CSV),
    run_files.CHALLENGE_PREDICTIONS,
)


class EvalSummary(Record):
    """`eval_summary.json`. The scores are those of `split`; `splits` also has dev, on which the sweep was tuned."""

    summary_version: Literal["1"] = "1"
    model_id: str
    dataset: str
    eval_set: str
    split: Literal["holdout", "all"]
    primary_score: float = Field(ge=0, le=1)
    final_loss: float
    n_items: int = Field(ge=1)
    n_scored: int = Field(ge=0)
    n_ended_by_length: int | None = Field(None, ge=0)  # answers that were cut at generate.max_new_tokens
    n_truncated: int | None = Field(None, ge=0)  # examples of the trainset that were cut at data.max_seq_len
    n_dropped: int | None = Field(None, ge=0)  # examples left out, because no part of their completion fits
    lock_id: str
    splits: dict[str, dict[str, Any]]  # a scorecard for each, without its items
    challenges: dict[str, Any] | None = None  # how many of eval.challenges were answered; they have no score


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


def score(lock: Lock, run_dir: Path) -> dict[str, Scorecard]:
    """Score predictions.jsonl on each split, eval.submission_split first. Raises UsageError for a bad file."""
    config = lock.run_config()
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


def write_submission(lock: Lock, run_dir: Path) -> bool:
    """Write submission.json if the scorer makes attempts, and return whether it was written.

    It answers eval.challenges if the config names them, else the items of eval.submission_split.
    """
    config = lock.run_config()
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


def summarise(lock: Lock, run_dir: Path, cards: Mapping[str, Scorecard]) -> EvalSummary:
    """Summarise the scorecards from `score`. Raises UsageError if a file of the run is missing or malformed."""
    config = lock.run_config()
    provenance = read_json(run_dir / run_files.PROVENANCE)
    split = config.eval.submission_split
    return EvalSummary(
        model_id=provenance["model_id"],
        dataset=provenance["trainset"]["name"],
        eval_set=load_evalset(config.eval.evalset).name,
        split=split,
        primary_score=cards[split].primary_score,
        final_loss=_last_metrics(run_dir)["loss"],
        n_items=cards[split].n_items,
        n_scored=cards[split].n_scored,
        n_ended_by_length=cards[split].finish_reasons.get("length", 0),
        n_truncated=provenance["trainset"].get("n_truncated"),
        n_dropped=provenance["trainset"].get("n_dropped"),
        lock_id=lock.lock_id,
        splits={name: card.model_dump(mode="json", exclude={"scores"}) for name, card in cards.items()},
        challenges=_answered(config, run_dir),
    )


def summarise_unlabelled(lock: Lock, run_dir: Path, test: UnlabelledFile, prompts: Sequence[Prompt]) -> UnscoredSummary:
    """Summarise a run on unlabelled items. Raises UsageError if a file of the run is missing or malformed."""
    provenance = read_json(run_dir / run_files.PROVENANCE)
    predictions = read_predictions(run_dir)
    n_answered = len({prediction.id for prediction in predictions})
    return UnscoredSummary(
        model_id=provenance["model_id"],
        dataset=provenance["trainset"]["name"],
        test=test,
        final_loss=_last_metrics(run_dir)["loss"],
        n_items=len(prompts),
        n_answered=n_answered,
        n_missing=len(prompts) - n_answered,
        n_ended_by_length=sum(prediction.finish_reason == "length" for prediction in predictions),
        n_truncated=provenance["trainset"].get("n_truncated"),
        n_dropped=provenance["trainset"].get("n_dropped"),
        lock_id=lock.lock_id,
    )


def _answered(config: RunConfig, run_dir: Path) -> dict[str, Any] | None:
    if config.eval.challenges is None:
        return None
    path = find_file(config.eval.challenges)
    predictions = read_records(Prediction, run_dir / run_files.CHALLENGE_PREDICTIONS)
    answered = len({prediction.id for prediction in predictions})
    return {"name": path.name, "sha256": sha256_file(path), "n_items": len(challenges(config)), "n_answered": answered}


def result_block(summary: EvalSummary) -> str:
    """The lines that a submission prints at its end; the order is fixed, because programs parse it."""
    names = ("model_id", "dataset", "eval_set", "primary_score", "final_loss", "n_items", "n_scored")
    lines = ["RESULT SUMMARY", *(f"{name}: {getattr(summary, name)}" for name in names)]
    return "\n".join(lines)


def hash_files(run_dir: Path) -> dict[str, str]:
    """The sha256 of every evidence file by name, for the manifest."""
    return {name: sha256_file(run_dir / name) for name in files_of(run_dir)}


def _last_metrics(run_dir: Path) -> dict[str, Any]:
    """The last line of metrics.jsonl. Raises UsageError if the file has no line."""
    path = run_dir / run_files.METRICS
    lines = [line for _, line in read_jsonl(path)]
    if not lines:
        raise UsageError(f"{path} has no line, must have one or more; run the submission again under another name")
    return dict(lines[-1])
