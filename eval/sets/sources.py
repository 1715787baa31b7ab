"""Predictions on disk with what they answer: a predictions file, or the predictions of a run folder."""

from dataclasses import dataclass
from pathlib import Path

from eval.sets.evalset import Evalset, load_evalset
from eval.sets.predictions import meta_path, read_scored_set, set_to_score
from podium.core.config import RunConfig, load_config
from podium.core.errors import UsageError
from podium.core.files import read_json
from podium.core.records import Sample
from podium.core.run_files import CONFIG, LOCK, PREDICTIONS


@dataclass(frozen=True)
class PredictionSource:
    """A predictions file, the evalset it answers, the samples of that evalset it should answer, and its scorer."""

    label: str  # how the user named it
    path: Path
    evalset: Evalset
    samples: tuple[Sample, ...]
    scorer: str
    note: str = ""  # a warning for whoever reads scores of these predictions


def prediction_source(
    path: Path, *, label: str | None = None, evalset: str | None = None, scorer: str | None = None, note: str = ""
) -> PredictionSource:
    """The predictions in the file `path`.

    Without `evalset` or `scorer`, those of the config of the run that the file belongs to are used. The evalset can
    also come from the meta file beside the predictions.

    Raises:
        UsageError: no evalset is known, or the predictions are for another one.
    """
    config = _run_config(path)
    known = evalset or (config.eval.evalset if config else _evalset_in_meta(path))
    if known is None:
        raise UsageError(f"{path}: neither {CONFIG} nor {meta_path(path).name} names an evalset; give --evalset")
    chosen = load_evalset(known)
    spec = chosen.chosen_scorer(scorer or (config.eval.scorer if config else None))
    return PredictionSource(label or str(path), path, chosen, _samples(path, chosen, config), spec, note)


def _run_config(path: Path) -> RunConfig | None:
    """The config of the run folder that holds `path`; None if it is not in a run folder."""
    config = path.with_name(CONFIG)
    return load_config(config) if path.name == PREDICTIONS and config.is_file() else None


def _evalset_in_meta(path: Path) -> str | None:
    made_for = read_scored_set(path)
    return made_for.name if made_for else None


def _samples(path: Path, evalset: Evalset, config: RunConfig | None) -> tuple[Sample, ...]:
    lock = path.with_name(LOCK)
    if config and lock.is_file():
        return _submission_samples(lock, evalset, config)
    chosen = set_to_score(evalset, read_scored_set(path), None)
    return evalset.split(chosen.split, chosen.max_items)


def _submission_samples(lock: Path, evalset: Evalset, config: RunConfig) -> tuple[Sample, ...]:
    """A submission answers its own split and dev; its lock holds the hash of the evalset."""
    locked = read_json(lock)["hashes"]["evalset"]
    if locked != evalset.sha256:
        raise UsageError(
            f"{lock.parent.name} was run on {config.eval.evalset} with sha256 {locked[:12]}, "
            f"not on {evalset.name} ({evalset.sha256[:12]}); give that version with --evalset"
        )
    splits = {config.eval.submission_split, "dev"}
    wanted = {sample.id for split in splits for sample in evalset.split(split, config.eval.max_items)}
    return tuple(sample for sample in evalset.samples if sample.id in wanted)
