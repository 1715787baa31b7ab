"""Reading predictions.jsonl, and what predictions_meta.json beside it says about its origin."""

from pathlib import Path

from eval.evalset import Evalset, ScoredSet
from podium.core.errors import UsageError
from podium.core.files import read_json
from podium.core.records import Prediction, parse_record, read_records


def read_predictions(path: Path) -> list[Prediction]:
    """Raises UsageError for a missing file or a malformed line, named with file, line and reason."""
    return read_records(Prediction, path)


def meta_path(path: Path) -> Path:
    """predictions_meta.json for predictions.jsonl."""
    return path.with_name(f"{path.stem}_meta.json")


def predicted_set(path: Path) -> ScoredSet | None:
    """Which items the predictions in `path` were made for; None when no meta file says so. Raises UsageError."""
    where = meta_path(path)
    if not where.is_file():
        return None
    values = read_json(where)
    if not isinstance(values, dict) or not isinstance(values.get("evalset"), dict):
        raise UsageError(f"{where}: has no evalset with name and sha256; predict again")
    about = {key: values[key] for key in ("split", "max_items") if key in values}
    return parse_record(ScoredSet, {**values["evalset"], **about}, str(where))


def set_to_score(evalset: Evalset, made_for: ScoredSet | None, split: str | None) -> ScoredSet:
    """The items to score: what was asked for, else what the predictions were made for, else all.

    Raises:
        UsageError: the predictions were made for another evalset, or do not cover the split.
    """
    if made_for is None:
        return evalset.scored_set(split or "all")
    if made_for.sha256 != evalset.sha256:
        raise UsageError(
            f"the predictions were made for {made_for.name} (sha256 {made_for.sha256[:12]}), "
            f"not for {evalset.name} ({evalset.sha256[:12]}); predict again or score with that evalset"
        )
    if split not in (None, made_for.split) and made_for.split != "all":
        raise UsageError(f"the predictions were made for split {made_for.split}, not {split}; predict again")
    return evalset.scored_set(split or made_for.split, made_for.max_items)
