"""`eval_summary.json` and `predictions_meta.json`, computed from the files that the run wrote.

The same files give the same bytes, so `podium verify` computes both again and compares.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from eval.scorecard import GroupScore, Scorecard
from eval.sets.evalset import load_evalset
from eval.sets.predictions import finish_reasons
from podium.core import run_files
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.files import read_json, read_jsonl
from podium.core.hashing import sha256_file
from podium.core.paths import find_file
from podium.core.records import Prediction, Record, read_records
from podium.submission.claim import UnlabelledFile
from podium.submission.evidence import challenges, read_predictions
from podium.submission.journal import Journal, Phase
from podium.submission.lock import Lock


class SummaryMetrics(Record):
    answer_correctness: float = Field(ge=0, le=100)  # points
    final_loss: float


class SummaryScorecard(Record):
    """The scorecard of the split that counts, with points from 0 to 100 by group."""

    n_items: int = Field(ge=1)
    n_scored: int = Field(ge=0)
    n_skipped: int = Field(ge=0)
    stddev: float = Field(ge=0)
    section_scores: dict[str, float]
    category_scores: dict[str, float]
    difficulty_scores: dict[str, float]


class _Summary(Record):
    """What every `eval_summary.json` has."""

    summary_version: Literal["2"] = "2"
    run_version: str  # the name of the run
    lock_id: str
    model_id: str
    dataset: str
    final_loss: float
    n_items: int = Field(ge=1)
    n_ended_by_length: int = Field(ge=0)  # answers that were cut at generate.max_new_tokens
    n_truncated: int | None = Field(None, ge=0)  # examples of the trainset that were cut at data.max_seq_len
    n_dropped: int | None = Field(None, ge=0)  # examples left out, because no part of their completion fits
    predictions_path: str  # relative to the folder of this file
    evaluated_at: str  # UTC, ISO 8601: when scoring began, or when the competition's file was written


class EvalSummary(_Summary):
    """`eval_summary.json`. The scores are those of `split`; `splits` also has dev, on which the sweep was tuned."""

    eval_set: str
    split: Literal["holdout", "all"]
    metrics: SummaryMetrics
    primary_score: float = Field(ge=0, le=1)  # a hundredth of metrics.answer_correctness
    n_scored: int = Field(ge=0)
    scorecard: SummaryScorecard
    splits: dict[str, dict[str, Any]]  # a scorecard for each, without its items
    challenges: dict[str, Any] | None = None  # how many of eval.challenges were answered; they have no score


class UnscoredSummary(_Summary):
    """`eval_summary.json` of a run on unlabelled items. It has no key for a score."""

    test: UnlabelledFile
    n_answered: int = Field(ge=0)
    n_missing: int = Field(ge=0)  # items that there was no time for


class PredictionsMeta(Record):
    """`predictions_meta.json`: what predictions.jsonl answers, and with which model and settings."""

    evalset: dict[str, str] | None = None  # name and sha256
    split: Literal["all"] | None = None  # its items are those of eval.submission_split and dev
    max_items: int | None = None  # of each split
    challenges: dict[str, str] | None = None  # in place of the evalset: name and sha256 of items that have no score
    model_id: str
    step: int = Field(ge=1)  # of the weights that answered
    config_sha256: str
    generate: dict[str, Any]
    lock_id: str
    n: int = Field(ge=0)
    finish_reasons: dict[str, int]
    sha256: str  # of predictions.jsonl


def summarise(
    lock: Lock, run_dir: Path, cards: Mapping[str, Scorecard], config: RunConfig | None = None
) -> EvalSummary:
    """Summarise the scorecards from `evidence.score`. `config` is the lock's, unless the data is elsewhere now.

    Raises:
        UsageError: a file of the run is missing or malformed.
    """
    config = config or lock.run_config()
    card = cards[config.eval.submission_split]
    common = _common(lock, run_dir)
    return EvalSummary(
        **common,
        eval_set=load_evalset(config.eval.evalset).name,
        split=config.eval.submission_split,
        metrics=SummaryMetrics(answer_correctness=card.answer_correctness, final_loss=common["final_loss"]),
        primary_score=card.primary_score,
        n_items=card.n_items,
        n_scored=card.n_scored,
        n_ended_by_length=card.finish_reasons.get("length", 0),
        scorecard=_scorecard(card),
        splits={name: card.model_dump(mode="json", exclude={"scores"}) for name, card in cards.items()},
        challenges=_answered(config, run_dir),
    )


def summarise_unlabelled(lock: Lock, run_dir: Path, test: UnlabelledFile, n_items: int) -> UnscoredSummary:
    """Summarise a run on unlabelled items. Raises UsageError if a file of the run is missing or malformed."""
    predictions = read_predictions(run_dir)
    n_answered = len({prediction.id for prediction in predictions})
    return UnscoredSummary(
        **_common(lock, run_dir),
        test=test.for_evidence(),
        n_items=n_items,
        n_answered=n_answered,
        n_missing=n_items - n_answered,
        n_ended_by_length=sum(prediction.finish_reason == "length" for prediction in predictions),
    )


def describe_predictions(
    lock: Lock, run_dir: Path, test: UnlabelledFile | None = None, config: RunConfig | None = None
) -> PredictionsMeta:
    """Describe predictions.jsonl. Raises UsageError if a file of the run is missing or malformed."""
    config = config or lock.run_config()
    predictions: Sequence[Prediction] = read_predictions(run_dir)
    return PredictionsMeta(
        **_asked(config, test),
        model_id=read_json(run_dir / run_files.PROVENANCE)["model_id"],
        step=last_metrics(run_dir)["step"],
        config_sha256=lock.hashes["config"],
        generate=lock.run_config().generate.model_dump(mode="json", exclude_none=True),
        lock_id=lock.lock_id,
        n=len(predictions),
        finish_reasons=finish_reasons(predictions),
        sha256=sha256_file(run_dir / run_files.PREDICTIONS),
    )


def result_block(summary: EvalSummary) -> str:
    """The lines that a submission prints at its end; the order is fixed, because programs parse it."""
    names = ("model_id", "dataset", "eval_set", "primary_score", "final_loss", "n_items", "n_scored")
    lines = ["RESULT SUMMARY", *(f"{name}: {getattr(summary, name)}" for name in names)]
    return "\n".join(lines)


def last_metrics(run_dir: Path) -> dict[str, Any]:
    """The last line of metrics.jsonl. Raises UsageError if the file has no line."""
    path = run_dir / run_files.METRICS
    lines = [line for _, line in read_jsonl(path)]
    if not lines:
        raise UsageError(f"{path} has no line, must have one or more; run the submission again under another name")
    return dict(lines[-1])


def _common(lock: Lock, run_dir: Path) -> dict[str, Any]:
    """What both summaries take from the run's files."""
    provenance = read_json(run_dir / run_files.PROVENANCE)
    trainset = provenance["trainset"]
    return {
        "run_version": lock.name,
        "lock_id": lock.lock_id,
        "model_id": provenance["model_id"],
        "dataset": trainset["name"],
        "final_loss": last_metrics(run_dir)["loss"],
        "n_truncated": trainset.get("n_truncated"),
        "n_dropped": trainset.get("n_dropped"),
        "predictions_path": run_files.PREDICTIONS,
        "evaluated_at": _evaluated_at(run_dir),
    }


def _scorecard(card: Scorecard) -> SummaryScorecard:
    return SummaryScorecard(
        n_items=card.n_items,
        n_scored=card.n_scored,
        n_skipped=card.n_skipped,
        stddev=card.stddev,
        section_scores=_points(card.sections),
        category_scores=_points(card.categories),
        difficulty_scores=_points(card.difficulties),
    )


def _points(groups: Mapping[str, GroupScore]) -> dict[str, float]:
    return {name: group.answer_correctness for name, group in groups.items()}


def _answered(config: RunConfig, run_dir: Path) -> dict[str, Any] | None:
    if config.eval.challenges is None:
        return None
    path = find_file(config.eval.challenges)
    predictions = read_records(Prediction, run_dir / run_files.CHALLENGE_PREDICTIONS)
    answered = len({prediction.id for prediction in predictions})
    return {"name": path.name, "sha256": sha256_file(path), "n_items": len(challenges(config)), "n_answered": answered}


def _asked(config: RunConfig, test: UnlabelledFile | None) -> dict[str, Any]:
    """The keys of PredictionsMeta that say what was answered."""
    if test is not None:
        return {"challenges": {"name": test.name, "sha256": test.sha256}}
    evalset = load_evalset(config.eval.evalset)
    described = {"name": evalset.name, "sha256": evalset.sha256}
    return {"evalset": described, "split": "all", "max_items": config.eval.max_items}


def _evaluated_at(run_dir: Path) -> str:
    """When the attempt, in its newest session, began to score."""
    entered = [entry for entry in Journal(run_dir).entries if entry.phase is Phase.SCORING]
    if not entered:
        raise UsageError(f"{run_dir / run_files.JOURNAL} has no line of phase {Phase.SCORING}; restore the file")
    return entered[-1].at
