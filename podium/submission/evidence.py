"""The evidence of a submission run, computed from the files that the run wrote.

run_manifest.json holds the state of the run and the hash of every other file; eval_summary.json is computed from
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
from podium.core import run_files
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

# The files that every complete run has beside its manifest, which holds their hashes. The scorecard is not among them,
# because anyone can compute it from these.
EVIDENCE = (
    *(run_files.LOCK, run_files.SUMMARY, run_files.OUTPUT_LOG, run_files.PREDICTIONS),
    *(run_files.METRICS, run_files.CONFIG, run_files.PROVENANCE),
)
OPTIONAL_EVIDENCE = (run_files.SUBMISSION, run_files.CHALLENGE_PREDICTIONS)


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


class RunManifest(Record):
    """`run_manifest.json`: the state of the run. eval_summary.json has the scores, provenance.json the device."""

    manifest_version: Literal["1"] = "1"
    name: str
    lock_id: str
    state: State
    claimed_at: str  # UTC, ISO 8601
    time_budget_s: float
    steps_locked: int
    # Set when the run has ended:
    ended_at: str | None = None
    elapsed_s: float | None = None  # from the start of the command; includes hashing, start-up and compilation
    reason: str | None = None  # why the run is not complete
    # Set when the run is complete:
    steps_trained: int | None = None
    truncated: bool | None = None  # the deadline came before the last locked step
    files: dict[str, str] | None = None  # sha256 by name

    @model_validator(mode="after")
    def _has_the_fields_of_its_state(self) -> Self:
        complete = ("steps_trained", "truncated", "files")
        needed = ("ended_at", "elapsed_s", *(complete if self.state is State.COMPLETE else ("reason",)))
        missing = [name for name in needed if getattr(self, name) is None]
        if self.state.is_final and missing:
            raise ValueError(f"a run that is {self.state} needs {', '.join(missing)}")
        return self


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


def score(lock: Lock, run_dir: Path) -> dict[str, Scorecard]:
    """Score predictions.jsonl on each split, eval.submission_split first. Raises UsageError for a bad file."""
    config = lock.run_config()
    evalset = load_evalset(config.eval.evalset)
    predictions = read_records(Prediction, run_dir / run_files.PREDICTIONS)
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


def _answered(config: RunConfig, run_dir: Path) -> dict[str, Any] | None:
    if config.eval.challenges is None:
        return None
    path = find_file(config.eval.challenges)
    predictions = read_records(Prediction, run_dir / run_files.CHALLENGE_PREDICTIONS)
    answered = len({prediction.id for prediction in predictions})
    return {"name": path.name, "sha256": sha256_file(path), "n_items": len(challenges(config)), "n_answered": answered}


def steps_trained(run_dir: Path) -> int:
    return int(_last_metrics(run_dir)["step"])


def result_block(summary: EvalSummary) -> str:
    """The lines that a submission prints at its end; the order is fixed, because programs parse it."""
    names = ("model_id", "dataset", "eval_set", "primary_score", "final_loss", "n_items", "n_scored")
    lines = ["RESULT SUMMARY", *(f"{name}: {getattr(summary, name)}" for name in names)]
    return "\n".join(lines)


def hash_files(run_dir: Path) -> dict[str, str]:
    """The sha256 of every evidence file by name, for the manifest."""
    return {name: sha256_file(run_dir / name) for name in files_of(run_dir)}


def write(path: Path, record: Record) -> None:
    """Write `record` as JSON. Raises UsageError, and writes nothing, if a value is null, a placeholder or NaN."""
    values = without_nulls(record.model_dump(mode="json"))
    refuse_gaps(values, path.name)
    write_json(path, values)


def read_complete(lock: Lock) -> RunManifest:
    """The manifest of a complete run. Raises UsageError if the lock has not been run, or its run is not complete."""
    path = submission_dir(lock.name) / run_files.MANIFEST
    if not path.is_file():
        refuse_claimed(path.parent)  # it ended before it wrote a manifest
        raise UsageError(f"submission {lock.name!r} has not run; `podium submit {lock.name}` runs it")
    manifest = read_record(RunManifest, path)
    if manifest.lock_id != lock.lock_id:
        other = manifest.lock_id[:SHORT]
        raise UsageError(f"submission {lock.name!r}: {path.name} belongs to another lock ({other}); restore it")
    if manifest.state is not State.COMPLETE:
        why = f" ({manifest.reason})" if manifest.reason else ""
        raise UsageError(f"submission {lock.name!r} is {manifest.state}{why}, must be complete")
    return manifest


def _last_metrics(run_dir: Path) -> dict[str, Any]:
    """The last line of metrics.jsonl. Raises UsageError if the file has no line."""
    path = run_dir / run_files.METRICS
    lines = [line for _, line in read_jsonl(path)]
    if not lines:
        raise UsageError(f"{path} has no line, must have one or more; run the submission again under another name")
    return dict(lines[-1])
