"""Samples and evalset files in one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from podium.core.records import Sample

FACTS = {"prompt": "p", "expected_answer": "1", "section": "core", "category": "sum", "difficulty": "easy"}


@pytest.fixture
def sample() -> Callable[..., Sample]:
    """`sample("a", section="x")`: an item with plain values where none are given; its prompt is its id."""

    def make(id: str, **values: Any) -> Sample:
        return Sample.model_validate({**FACTS, "prompt": id, "id": id, **values})

    return make


@pytest.fixture
def evalset_file(tmp_path: Path) -> Callable[..., Path]:
    """`evalset_file({"id": "a"}, {...})` writes set.jsonl; None takes a field out."""

    def write(*rows: dict[str, Any]) -> Path:
        full = [{**FACTS, "prompt": row.get("id", "p"), **row} for row in rows]
        lines = [json.dumps({key: value for key, value in row.items() if value is not None}) for row in full]
        path = tmp_path / "set.jsonl"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write
