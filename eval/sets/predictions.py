"""Read and write predictions.jsonl, and predictions_meta.json beside it, which says what was predicted and how."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.sets.evalset import Evalset, ScoredSet
from podium.core.errors import UsageError
from podium.core.files import read_json, read_text, write_json, write_jsonl
from podium.core.json_text import parse_json
from podium.core.plain_values import Unreadable
from podium.core.records import FINISH_REASONS, Prediction, parse_record


@dataclass(frozen=True)
class PredictionFile:
    """The content of a predictions file."""

    predictions: list[Prediction]
    malformed: list[str]  # one per skipped line, such as "line 3: text is missing; add it"


def read_predictions(path: Path) -> PredictionFile:
    """Read every line; a malformed one is skipped and reported.

    Raises:
        UsageError: the file is missing or binary, or no prediction can be read in it.
    """
    predictions, malformed = [], []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            predictions.append(parse_record(Prediction, parse_json(line), f"line {number}"))
        except Unreadable as error:
            malformed.append(f"line {number}: {error}")
        except UsageError as error:
            malformed.append(str(error))
    if not predictions:
        found = f"none of its {len(malformed)} lines is a prediction ({malformed[0]})" if malformed else "it is empty"
        raise UsageError(f'{path}: {found}; a line must look like {{"id": "a-1", "text": "42"}}')
    return PredictionFile(predictions, malformed)


def meta_path(path: Path) -> Path:
    """The path of predictions_meta.json for that of predictions.jsonl."""
    return path.with_name(f"{path.stem}_meta.json")


def write_predictions(path: Path, predictions: Sequence[Prediction], about: Mapping[str, Any]) -> None:
    """Write the predictions, and `about` with their number to the meta file. Raises PodiumError if the disk is full."""
    write_jsonl(path, [prediction.model_dump(mode="json", exclude_none=True) for prediction in predictions])
    write_json(meta_path(path), {**about, "n": len(predictions)})


def finish_reasons(predictions: Iterable[Prediction]) -> dict[str, int]:
    """The number of predictions by finish reason; reasons that no prediction has are left out."""
    counts = Counter(prediction.finish_reason for prediction in predictions)
    return {reason: counts[reason] for reason in FINISH_REASONS if counts[reason]}


def shown_reasons(counts: Mapping[str, int]) -> str:
    """`eos 90, deadline 2`."""
    return ", ".join(f"{reason} {count}" for reason, count in counts.items())


def read_scored_set(path: Path) -> ScoredSet | None:
    """The items that the predictions in `path` were made for; None without a meta file.

    Raises:
        UsageError: the meta file is malformed, or says that the predictions answer challenges, which have no score.
    """
    where = meta_path(path)
    if not where.is_file():
        return None
    values = read_json(where)
    if isinstance(values, dict) and "challenges" in values:
        name = values["challenges"].get("name")
        raise UsageError(
            f"{path}: these are answers to the challenges in {name}, whose solutions are unknown: there is no score; "
            f"the competition scores submission.json"
        )
    if not isinstance(values, dict) or not isinstance(values.get("evalset"), dict):
        raise UsageError(f"{where}: names no evalset with a name and a sha256; predict again")
    about = {key: values[key] for key in ("split", "max_items") if key in values}
    return parse_record(ScoredSet, {**values["evalset"], **about}, str(where))


def set_to_score(evalset: Evalset, made_for: ScoredSet | None, split: str | None) -> ScoredSet:
    """The items to score: those of `split` if given, else those that the predictions were made for, else all.

    Raises:
        UsageError: the predictions were made for another evalset, or do not cover the split.
    """
    if made_for is None:
        return evalset.scored_set(split or "all")
    if made_for.sha256 != evalset.sha256:
        raise UsageError(
            f"the predictions were made for {made_for.name} (sha256 {made_for.sha256[:12]}), "
            f"not for {evalset.name} ({evalset.sha256[:12]}); predict again, or score with that evalset"
        )
    if split not in (None, made_for.split) and made_for.split != "all":
        raise UsageError(f"the predictions were made for split {made_for.split}, not {split}; predict again")
    return evalset.scored_set(split or made_for.split, made_for.max_items)
