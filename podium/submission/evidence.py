"""The evidence of a submission run: read back from its files, never typed in.

run_manifest.json says what became of the run, with the hash of every other file; eval_summary.json is computed from
predictions.jsonl and the evalset.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from eval.arc_submission import makes_attempts, write_arc_submission
from eval.scorecard import Scorecard, score_predictions
from eval.sets.evalset import load_evalset
from eval.sets.prompts import load_challenges
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.files import read_json, read_jsonl, write_json
from podium.core.hashing import sha256_file
from podium.core.paths import find_file, submission_dir
from podium.core.records import Prediction, Prompt, Question, Record, Sample, read_record, read_records
from podium.core.states import State
from podium.submission.claim import refuse_claimed
from podium.submission.lock import Lock
from podium.submission.verify import SHORT, refuse_gaps, without_nulls

MANIFEST, SUMMARY, LOG = "run_manifest.json", "eval_summary.json", "kaggle_output_log.txt"
PREDICTIONS, METRICS, CONFIG, PROVENANCE = "predictions.jsonl", "metrics.jsonl", "config.yaml", "provenance.json"
SCORECARD = "scorecard.json"  # item by item; anyone can make it again from the evidence
# What a finished run has beside its manifest, which holds the hash of each.
EVIDENCE = ("lock.json", SUMMARY, LOG, PREDICTIONS, METRICS, CONFIG, PROVENANCE)
SUBMISSION = "submission.json"  # beside these where the evalset is a competition's with such a file (ARC)
CHALLENGE_PREDICTIONS = "challenge_predictions.jsonl"  # beside these where eval.challenges was answered


class EvalSummary(Record):
    """`eval_summary.json`. Its scores are those of `split`; dev, which the sweep saw, is beside it in `splits`."""

    summary_version: Literal["1"] = "1"
    model_id: str
    dataset: str
    eval_set: str
    split: Literal["holdout", "all"]
    primary_score: float = Field(ge=0, le=1)
    final_loss: float
    n_items: int = Field(ge=1)
    n_scored: int = Field(ge=0)
    lock_id: str
    splits: dict[str, dict[str, Any]]  # a scorecard each, less its items
    challenges: dict[str, Any] | None = None  # what of eval.challenges was answered; it has no score


class RunManifest(Record):
    """`run_manifest.json`: what became of the run. Scores are in eval_summary.json, the device in provenance.json."""

    manifest_version: Literal["1"] = "1"
    name: str
    lock_id: str
    state: State
    claimed_at: str  # UTC, ISO 8601
    time_budget_s: float
    steps_locked: int
    # Once the run has ended:
    ended_at: str | None = None
    elapsed_s: float | None = None  # from the start of the command: hashing, start-up and compiling count
    reason: str | None = None  # why the run is not complete
    # Once it is complete:
    steps_trained: int | None = None
    truncated: bool | None = None  # the deadline came before the last locked step
    files: dict[str, str] | None = None  # sha256 by name

    @model_validator(mode="after")
    def _says_all_its_state_needs(self) -> Self:
        complete = ("steps_trained", "truncated", "files")
        needed = ("ended_at", "elapsed_s", *(complete if self.state is State.COMPLETE else ("reason",)))
        missing = [name for name in needed if getattr(self, name) is None]
        if self.state.is_final and missing:
            raise ValueError(f"a run that is {self.state} needs {', '.join(missing)}")
        return self


def submission_samples(config: RunConfig) -> dict[str, tuple[Sample, ...]]:
    """What a submission is scored on: first eval.submission_split, then the split that the sweep saw, for comparison.

    Raises:
        UsageError: evalset missing or malformed, or a split without items.
    """
    evalset = load_evalset(config.eval.evalset)
    return {split: evalset.split(split, config.eval.max_items) for split in (config.eval.submission_split, "dev")}


def challenges(config: RunConfig) -> list[Question]:
    """What eval.challenges asks; nothing where there is none.

    A competition has another file there for its final run, so the lock holds its place, and the evidence its hash.

    Raises:
        UsageError: no such file, a malformed one, or a scorer that makes no attempts.
    """
    path = config.eval.challenges
    return [] if path is None else load_challenges(find_file(path), chosen_scorer(config))


def to_predict(config: RunConfig) -> list[Sample]:
    """Every sample of `submission_samples` once. What counts comes first, in case time runs out."""
    return list({sample.id: sample for samples in submission_samples(config).values() for sample in samples}.values())


def score(lock: Lock, run_dir: Path) -> dict[str, Scorecard]:
    """predictions.jsonl against the evalset, by split, the one that counts first. Raises UsageError for bad files."""
    config = lock.run_config()
    evalset = load_evalset(config.eval.evalset)
    predictions = read_records(Prediction, run_dir / PREDICTIONS)
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
    """submission.json, where the evalset is a competition's: for eval.challenges, else for what is scored."""
    config = lock.run_config()
    if not makes_attempts(chosen_scorer(config)):
        return False
    samples: Sequence[Prompt] = challenges(config) or submission_samples(config)[config.eval.submission_split]
    predictions = read_records(Prediction, run_dir / (CHALLENGE_PREDICTIONS if config.eval.challenges else PREDICTIONS))
    write_arc_submission(run_dir / SUBMISSION, samples, predictions, chosen_scorer(config))
    return True


def files_of(run_dir: Path) -> tuple[str, ...]:
    """What a finished run has beside its manifest."""
    return (*EVIDENCE, *(name for name in (SUBMISSION, CHALLENGE_PREDICTIONS) if (run_dir / name).exists()))


def summarise(lock: Lock, run_dir: Path, cards: Mapping[str, Scorecard]) -> EvalSummary:
    """From `score` and the run's other files. Raises UsageError where one is missing or malformed."""
    config = lock.run_config()
    provenance = read_json(run_dir / PROVENANCE)
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
        lock_id=lock.lock_id,
        splits={name: card.model_dump(mode="json", exclude={"scores"}) for name, card in cards.items()},
        challenges=_answered(config, run_dir),
    )


def _answered(config: RunConfig, run_dir: Path) -> dict[str, Any] | None:
    if config.eval.challenges is None:
        return None
    path, predictions = find_file(config.eval.challenges), read_records(Prediction, run_dir / CHALLENGE_PREDICTIONS)
    answered = len({prediction.id for prediction in predictions})
    return {"name": path.name, "sha256": sha256_file(path), "n_items": len(challenges(config)), "n_answered": answered}


def steps_trained(run_dir: Path) -> int:
    return int(_last_metrics(run_dir)["step"])


def result_block(summary: EvalSummary) -> str:
    """What a submission prints at its end, in the order that its readers rely on."""
    names = ("model_id", "dataset", "eval_set", "primary_score", "final_loss", "n_items", "n_scored")
    lines = ["RESULT SUMMARY", *(f"{name}: {getattr(summary, name)}" for name in names)]
    return "\n".join(lines)


def hash_files(run_dir: Path) -> dict[str, str]:
    """For the manifest: the sha256 of every other file of the evidence."""
    return {name: sha256_file(run_dir / name) for name in files_of(run_dir)}


def write(path: Path, record: Record) -> None:
    """Raises UsageError, writing nothing, if a value of `record` is a null, a placeholder or NaN."""
    values = without_nulls(record.model_dump(mode="json"))
    refuse_gaps(values, path.name)
    write_json(path, values)


def read_complete(lock: Lock) -> RunManifest:
    """The manifest of a complete run. Raises UsageError if the lock has not run, or not to its end."""
    path = submission_dir(lock.name) / MANIFEST
    if not path.is_file():
        refuse_claimed(path.parent)  # it broke off before its first word
        raise UsageError(f"submission {lock.name!r} has not run; `podium submit {lock.name}` runs it")
    manifest = read_record(RunManifest, path)
    if manifest.lock_id != lock.lock_id:
        raise UsageError(f"submission {lock.name!r}: {MANIFEST} is of another lock ({manifest.lock_id[:SHORT]})")
    if manifest.state is not State.COMPLETE:
        why = f" ({manifest.reason})" if manifest.reason else ""
        raise UsageError(f"submission {lock.name!r} is {manifest.state}{why}, must be complete")
    return manifest


def _last_metrics(run_dir: Path) -> dict[str, Any]:
    """The last line of metrics.jsonl. Raises UsageError where there is none."""
    lines = [line for _, line in read_jsonl(run_dir / METRICS)]
    if not lines:
        raise UsageError(f"{run_dir / METRICS} has no line; a run that trained leaves at least one")
    return dict(lines[-1])
