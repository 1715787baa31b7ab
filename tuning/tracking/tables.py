"""Scorecards and predictions as tables, which MLflow's pages show and compare between runs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.sets.evalset import load_evalset
from podium.core import run_files
from podium.core.errors import UsageError
from podium.core.files import read_json, read_jsonl
from podium.core.records import GROUPS, as_text

PREDICTIONS, SCORES = "tables/predictions.json", "tables/scorecard.json"
TAG = "mlflow.loggedArtifacts"  # MLflow's pages find the tables by this tag


def log_tables(client: Any, run_id: str, run_dir: Path) -> None:
    """Log the tables of a run folder; does nothing if it has no scorecard.json or predictions.jsonl."""
    try:
        card = read_json(run_dir / run_files.SCORECARD)
        texts = _texts(run_dir / run_files.PREDICTIONS)
    except UsageError:
        return
    tables = {PREDICTIONS: _predictions(card, texts), SCORES: _groups(card)}
    for path, table in tables.items():
        client.log_text(run_id, json.dumps(table, ensure_ascii=False), path)
    logged = [{"path": path, "type": "table"} for path in tables]
    client.set_tag(run_id, TAG, json.dumps(logged))


def _predictions(card: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """One row per item, the worst scores first."""
    prompts = _prompts(card)
    scores = sorted(card["scores"], key=lambda score: score["value"])
    rows = [
        [
            score["id"],
            prompts.get(score["id"], ""),
            score["expected"],
            score["extracted"] or "",
            score["value"],
            score["reason"],
            texts.get(score["id"], ""),
        ]
        for score in scores
    ]
    return _table(("id", "prompt", "expected", "extracted", "value", "reason", "text"), rows)


def _groups(card: Mapping[str, Any]) -> dict[str, Any]:
    """The score and number of items, overall and by section, category and difficulty."""
    rows: list[list[Any]] = [["all", "", card["answer_correctness"], card["n_items"]]]
    for kind in GROUPS.values():
        for name, group in card[kind].items():
            rows.append([kind, name, group["answer_correctness"], group["n_items"]])
    return _table(("by", "group", "answer_correctness", "n_items"), rows)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """The format that MLflow reads: a pandas frame written with orient="split"."""
    return {"columns": list(columns), "data": [list(row) for row in rows]}


def _texts(path: Path) -> dict[str, str]:
    """The text of each item's first prediction, by item id."""
    texts: dict[str, str] = {}
    for _, line in read_jsonl(path):
        texts.setdefault(line["id"], line["text"])
    return texts


def _prompts(card: Mapping[str, Any]) -> dict[str, str]:
    """The prompts of the evalset that was scored, by item id; empty if the evalset has changed since."""
    about = card.get("evalset") or {}
    try:
        evalset = load_evalset(about.get("name", ""))
    except UsageError:
        return {}
    return {sample.id: as_text(sample) for sample in evalset.samples} if evalset.sha256 == about["sha256"] else {}
