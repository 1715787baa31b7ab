"""The data of a project: a trainset, and an evalset that was split off it before."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.sets.evalset import Evalset, split_of_sample, write_evalset
from eval.sets.holdout import hold_out
from eval.sets.importers import import_samples
from podium.core.bad_rows import BadRows
from podium.core.errors import UsageError
from podium.core.formats import Format, choose_format
from podium.core.records import TrainsetManifest
from podium.core.sources import Source
from podium.core.tables import Row
from podium.held_out import held_out
from trainer.data.importers import import_examples
from trainer.data.trainsets import build_trainset, import_trainset
from trainer.recipes import evalset_samples

FEWEST_EXAMPLES = 8
SHARE, FEWEST_ITEMS, MOST_ITEMS = 0.2, 20, 300  # of the prompts that are held out; at most a third
BUILT_IN = "tiny-reasoning", "tiny_v1"


@dataclass(frozen=True)
class ProjectData:
    """What was written; `format` is how the file was read, None for the built-in data."""

    trainset: TrainsetManifest
    evalset: Evalset
    format: str | None


def write_data(folder: Path, name: str, file: str | None) -> ProjectData:
    """Write `trainsets/` and `evalsets/` below `folder` from a data file, or from the built-in recipes.

    Raises:
        UsageError: the file cannot be read, has too few examples, or a malformed row.
        PodiumError: a download or a write failed.
    """
    if file is None:
        recipe, evaluated = BUILT_IN
        trainset = build_trainset(recipe, folder / "trainsets" / recipe)
        evalset = write_evalset(folder / "evalsets" / f"{evaluated}.jsonl", evalset_samples(evaluated))
        return ProjectData(trainset, evalset, None)
    format, read = choose_format(Source(file).rows(), "auto")
    rows = list(read)
    if len(rows) < FEWEST_EXAMPLES:
        rule = f"must have {FEWEST_EXAMPLES} or more, so that some can be held out"
        raise UsageError(f"{file}: has {len(rows)} examples, {rule}; add some")
    path = folder / "evalsets" / f"{name}.jsonl"
    n_items = _n_items(rows, format, name)
    examples, write_held_out = held_out(rows, format, path, str(n_items), BadRows())
    trainset = import_trainset(examples, format.name, folder / "trainsets" / name, name=name)
    return ProjectData(trainset, write_held_out(), format.name)


def _n_items(rows: Sequence[Row], format: Format, name: str) -> int:
    """How many prompts to hold out, so that both dev and holdout have one."""
    most = max(2, len(rows) // 3)
    wanted = min(most, MOST_ITEMS, max(FEWEST_ITEMS, round(SHARE * len(rows))))
    examples = list(import_examples(rows, format))
    while wanted <= most:
        samples = import_samples([rows[place] for place in hold_out(examples, str(wanted)).held], name, format)
        if len({split_of_sample(sample) for sample in samples}) == 2:
            return wanted
        wanted += 1
    raise UsageError(
        f"{len(rows)} examples are too few: none of the {most} that could be held out would be in one of the two "
        "splits, dev and holdout; add examples, or import an evalset of your own"
    )
