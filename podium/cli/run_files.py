"""What a person names on the command line, found: a trial, a submission, a run directory or a predictions file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from podium.core.errors import UsageError
from podium.core.files import read_json
from podium.core.paths import check_name, submission_dir

if TYPE_CHECKING:
    from eval.sets.evalset import Evalset
    from podium.core.config import RunConfig
    from podium.core.records import Sample


@dataclass(frozen=True)
class PredictionSource:
    """Predictions, the evalset that they were made for, and the samples of it that they had to answer."""

    label: str
    path: Path
    evalset: Evalset
    samples: tuple[Sample, ...]
    scorer: str
    note: str = ""


def find_source(name: str, evalset: str | None, scorer: str | None) -> PredictionSource:
    """`name` is a predictions file, a run directory, STUDY/N or the name of a submission.

    Evalset and scorer are those of the run's config where they are not given, and the evalset may also be the one that
    the predictions' meta file names.

    Raises:
        UsageError: nothing of that name, no predictions there, or predictions for another evalset.
    """
    from eval.sets.evalset import load_evalset

    path, note = _predictions(name)
    config = _config(path)
    known = evalset or (config.eval.evalset if config else None) or _named_in_meta(path)
    if known is None:
        raise UsageError(
            f"{path}: neither config.yaml nor {path.stem}_meta.json says for which evalset; give --evalset"
        )
    chosen = load_evalset(known)
    asked_for = scorer or (config.eval.scorer if config else None)
    return PredictionSource(name, path, chosen, _samples(path, chosen, config), chosen.chosen_scorer(asked_for), note)


def _predictions(name: str) -> tuple[Path, str]:
    """The file, and what to know about it."""
    path, note = Path(name), ""
    study, slash, number = name.rpartition("/")
    if path.is_file():
        return path, note
    if not path.is_dir() and slash and number.isdigit():
        from podium.core.states import State
        from tuning.study.study import load_study

        trial = load_study(study).trial(int(number))
        path = trial.dir
        if trial.state is not State.COMPLETE:
            note = f"{name} is {trial.state}: its predictions are those of its newest report, at step {trial.step}"
    elif not path.is_dir() and not slash and submission_dir(check_name(name, "submission")).is_dir():
        path = submission_dir(name)
    if not path.is_dir():
        raise UsageError(f"{name!r} is no predictions file, no run directory, no STUDY/N and no submission; check it")
    if not (path / "predictions.jsonl").is_file():
        raise UsageError(f"{name}: {path} has no predictions.jsonl; `podium predict --run {path}` makes one")
    return path / "predictions.jsonl", note


def _config(path: Path) -> RunConfig | None:
    """Of the run that the file lies in."""
    from podium.core.config import load_config

    config = path.with_name("config.yaml")
    return load_config(config) if path.name == "predictions.jsonl" and config.is_file() else None


def _named_in_meta(path: Path) -> str | None:
    from eval.sets.predictions import read_scored_set

    made_for = read_scored_set(path)
    return made_for.name if made_for else None


def _samples(path: Path, evalset: Evalset, config: RunConfig | None) -> tuple[Sample, ...]:
    from eval.sets.predictions import read_scored_set, set_to_score

    made_for = read_scored_set(path)
    lock = path.with_name("lock.json")
    if made_for is None and config and lock.is_file():
        return _submitted(lock, evalset, config)
    chosen = set_to_score(evalset, made_for, None)
    return evalset.split(chosen.split, chosen.max_items)


def _submitted(lock: Path, evalset: Evalset, config: RunConfig) -> tuple[Sample, ...]:
    """A submission answers two splits, and its lock knows which bytes of the evalset they are of."""
    locked = read_json(lock)["hashes"]["evalset"]
    if locked != evalset.sha256:
        raise UsageError(
            f"{lock.parent.name} was run on {config.eval.evalset} with sha256 {locked[:12]}, "
            f"not on {evalset.name} ({evalset.sha256[:12]}); give that version with --evalset"
        )
    splits = {config.eval.submission_split, "dev"}
    wanted = {sample.id for split in splits for sample in evalset.split(split, config.eval.max_items)}
    return tuple(sample for sample in evalset.samples if sample.id in wanted)
