"""Folders of this layout that have no lock, as other tools and earlier projects wrote them: every gap is listed."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from podium.core.errors import PodiumError
from podium.core.files import read_json, read_jsonl
from podium.core.run_files import MANIFEST, OUTPUT_LOG, PREDICTIONS, SUMMARY
from podium.submission.verification.report import Report
from podium.submission.verify import gaps_in

MANIFEST_KEYS = (
    *("run_version", "model_id", "dataset", "eval_set", "config_path", "command", "commit_sha", "timestamp"),
    *("tuning_job_id", "trial_id", "kaggle_notebook_url", "kaggle_notebook_version", "kaggle_run_id", "notes"),
)
SUMMARY_KEYS = ("run_version", "eval_set", "metrics", "primary_score", "scorecard", "predictions_path", "evaluated_at")
SCORECARD_KEYS = (
    *("n_items", "n_scored", "n_skipped", "stddev"),
    *("section_scores", "category_scores", "difficulty_scores"),
)


def verify_older(run_dir: Path, report: Report) -> None:
    """Add the checks of a folder without a lock to `report`."""
    report.fail("lock", "there is no lock.json: nothing shows with which config, data and code this was run")
    manifest = _read(run_dir / MANIFEST, MANIFEST_KEYS, report)
    summary = _read(run_dir / SUMMARY, SUMMARY_KEYS, report)
    if summary is not None:
        card, metrics = summary.get("scorecard"), summary.get("metrics")
        _report_absent(SUMMARY, "scorecard", card, SCORECARD_KEYS, report)
        _report_absent(SUMMARY, "metrics", metrics, ("answer_correctness", "final_loss"), report)
        report.run("score", lambda: _check_score(summary))
        report.run("predictions", lambda: _check_predictions(run_dir, summary))
    if manifest is not None and summary is not None:
        report.run("agreement", lambda: _check_agreement(manifest, summary))
    report.run("log", lambda: _check_log(run_dir))


def _read(path: Path, keys: tuple[str, ...], report: Report) -> Mapping[str, Any] | None:
    """The object in a file, whose gaps go to `report`; None if it cannot be read."""
    try:
        values = read_json(path)
    except PodiumError as error:
        report.fail(path.name, str(error))
        return None
    if not isinstance(values, Mapping):
        report.fail(path.name, f"{path.name} holds {type(values).__name__}, must be an object")
        return None
    report.fail(path.name, *(f"{gap}: null or a placeholder" for gap in gaps_in(values, path.name)))
    _report_absent(path.name, "", values, keys, report)
    return values


def _report_absent(file: str, within: str, values: Any, keys: tuple[str, ...], report: Report) -> None:
    if not isinstance(values, Mapping):
        if values is not None:
            report.fail(file, f"{file}.{within} holds {type(values).__name__}, must be an object")
        return
    said = values.get("not_applicable", ())
    prefix = f"{file}.{within}" if within else file
    report.fail(file, *(f"{prefix}.{key}: absent" for key in keys if key not in values and key not in said))


def _check_score(summary: Mapping[str, Any]) -> str:
    """Which scale primary_score has. Raises PodiumError if it is neither."""
    metrics = summary.get("metrics")
    points = metrics.get("answer_correctness") if isinstance(metrics, Mapping) else None
    score = summary.get("primary_score")
    if not isinstance(points, int | float) or not isinstance(score, int | float):
        raise PodiumError(f"primary_score={score!r}, metrics.answer_correctness={points!r}: both must be numbers")
    for scale, what in ((1, "metrics.answer_correctness"), (100, "a hundredth of metrics.answer_correctness")):
        if math.isclose(score * scale, points, rel_tol=1e-9, abs_tol=1e-12):
            return f"primary_score={score} is {what}"
    raise PodiumError(f"primary_score={score} is neither metrics.answer_correctness={points} nor a hundredth of it")


def _check_predictions(run_dir: Path, summary: Mapping[str, Any]) -> str:
    given = summary.get("predictions_path")
    path = run_dir / (Path(given).name if isinstance(given, str) and given else PREDICTIONS)
    if not path.is_file():
        raise PodiumError(f"{path.name} is not here, so the score cannot be computed again")
    n = sum(1 for _ in read_jsonl(path))
    card = summary.get("scorecard")
    scored = card.get("n_scored") if isinstance(card, Mapping) else None
    if scored is not None and scored > n:
        raise PodiumError(f"{path.name} has {n} lines, and n_scored={scored}")
    return f"{path.name} has {n} lines; without a lock, no evalset is known to score them with"


def _check_agreement(manifest: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    pairs = {key: (manifest.get(key), summary.get(key)) for key in ("run_version", "eval_set")}
    if wrong := [f"{key}: {was!r} and {now!r}" for key, (was, now) in pairs.items() if was != now]:
        raise PodiumError(f"{MANIFEST} and {SUMMARY} differ in {'; '.join(wrong)}")
    return f"{MANIFEST} and {SUMMARY} name the same run and evalset"


def _check_log(run_dir: Path) -> str:
    path = run_dir / OUTPUT_LOG
    if not path.is_file():
        raise PodiumError(f"{OUTPUT_LOG} is not here")
    text = path.read_text("utf-8", errors="replace")
    if not text.strip():
        raise PodiumError(f"{OUTPUT_LOG} is empty")
    if found := list(_placeholders(text)):
        raise PodiumError(f"{OUTPUT_LOG} holds a placeholder: {found[0][:80]!r}")
    return f"{OUTPUT_LOG} has {len(text.splitlines())} lines"


def _placeholders(text: str) -> Iterator[str]:
    words = ("placeholder", "replace with actual", "to be filled", "paste ", "todo:")
    yield from (line.strip() for line in text.splitlines() if any(word in line.casefold() for word in words))
