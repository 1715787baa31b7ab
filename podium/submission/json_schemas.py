"""The JSON Schemas of the evidence, for tools that do not run Podium: `python -m podium.submission.json_schemas`.

They are written from the records that Podium itself reads and writes, and a test compares the files with those.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podium.core.files import to_json, write_text
from podium.core.records import Prediction, Record
from podium.submission.lock import Lock
from podium.submission.manifest import RunManifest
from podium.submission.packaging.members import PackageManifest
from podium.submission.summary import EvalSummary, PredictionsMeta, UnscoredSummary

FOLDER = Path(__file__).parent / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
RECORDS: Mapping[str, type[Record]] = {
    "lock": Lock,
    "run_manifest": RunManifest,
    "eval_summary": EvalSummary,
    "eval_summary_unscored": UnscoredSummary,
    "prediction": Prediction,  # a line of predictions.jsonl
    "predictions_meta": PredictionsMeta,
    "package_manifest": PackageManifest,
}


def schema_text(name: str) -> str:
    """The content of the schema file of a record."""
    return to_json({"$schema": DIALECT, **_without_null(RECORDS[name].model_json_schema())})


def schema_path(name: str) -> Path:
    return FOLDER / f"{name}.schema.json"


def _without_null(value: Any) -> Any:
    """A schema that accepts no null: a key that may be absent has no null, since evidence has none."""
    if isinstance(value, Mapping):
        if "anyOf" in value:
            kinds = [kind for kind in value["anyOf"] if kind != {"type": "null"}]
            rest = {key: item for key, item in value.items() if key not in ("anyOf", "default")}
            value = {**rest, **kinds[0]} if len(kinds) == 1 else {**rest, "anyOf": kinds}
        return {key: _without_null(item) for key, item in value.items()}
    return [_without_null(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    for record in RECORDS:
        write_text(schema_path(record), schema_text(record))
