"""Scorecards and predictions as tables that MLflow's pages show, and set side by side for several runs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.sets.evalset import load_evalset
from podium.core import run_files
from podium.core.errors import UsageError
from podium.core.files import read_json, read_jsonl
from podium.core.records import GROUPS

PREDICTIONS, SCORES = "tables/predictions.json", "tables/scorecard.json"
TAG = "mlflow.loggedArtifacts"  # where the pages look for tables


def log_tables(client: Any, run_id: str, run_dir: Path) -> None:
    """Of a run directory that has a scorecard.json and predictions.jsonl; nothing where it has none."""
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
    """A row an item, what went wrong first."""
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
    """Overall and by section, category and difficulty: points and items."""
    rows: list[list[Any]] = [["all", "", card["answer_correctness"], card["n_items"]]]
    for kind in GROUPS.values():
        for name, group in card[kind].items():
            rows.append([kind, name, group["answer_correctness"], group["n_items"]])
    return _table(("by", "group", "answer_correctness", "n_items"), rows)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """As pandas writes a frame with orient="split", which is what MLflow reads."""
    return {"columns": list(columns), "data": [list(row) for row in rows]}


def _texts(path: Path) -> dict[str, str]:
    """By item; of several predictions for an item the first."""
    texts: dict[str, str] = {}
    for _, line in read_jsonl(path):
        texts.setdefault(line["id"], line["text"])
    return texts


def _prompts(card: Mapping[str, Any]) -> dict[str, str]:
    """The prompts of the evalset that was scored; none where it is no longer the same."""
    about = card.get("evalset") or {}
    try:
        evalset = load_evalset(about.get("name", ""))
    except UsageError:
        return {}
    return {sample.id: sample.prompt for sample in evalset.samples} if evalset.sha256 == about["sha256"] else {}
