"""The trainset and evalset of a run, as MLflow's dataset inputs."""

import json
from collections.abc import Mapping
from typing import Any

from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.paths import find_evalset, find_trainset, portable

DIGEST = 16  # hex digits of the sha256; MLflow takes 36 characters at most


def inputs(config: RunConfig, data: Mapping[str, str]) -> list[Any]:
    """The config's trainset (context `training`) and evalset (`dev`). `data` is what `data_hashes` returns; a dataset
    without a hash there is left out."""
    trainset, evalset = config.data.trainset, config.eval.evalset
    known = [
        ("training", trainset, data.get(f"trainset_sha256 of {trainset}"), find_trainset),
        ("dev", evalset, data.get("evalset_sha256"), find_evalset),
    ]
    return [_input(context, name, sha256, find) for context, name, sha256, find in known if sha256]


def _input(context: str, name: str, sha256: str, find: Any) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    try:
        place = portable(find(name))
    except UsageError:  # it no longer exists; the hash still identifies it
        place = name
    dataset = Dataset(
        name=name.rstrip("/").rpartition("/")[2].removesuffix(".jsonl"),
        digest=sha256[:DIGEST],
        source_type="local",
        source=json.dumps({"uri": place}),
        profile=json.dumps({"sha256": sha256}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", context)])
