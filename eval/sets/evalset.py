"""Evalsets: JSONL files of samples, split by item id, checked before use."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from eval.scorers import DEFAULT, get_scorer
from podium.core.errors import UsageError
from podium.core.files import read_jsonl, write_jsonl
from podium.core.hashing import sha256_file
from podium.core.paths import find_evalset
from podium.core.records import ReasoningTrace, Record, Sample, parse_record, read_records

Split = Literal["dev", "holdout"]
SplitChoice = Literal["dev", "holdout", "all"]
SPLITS: tuple[SplitChoice, ...] = ("dev", "holdout", "all")

# A sweep chooses among many trials on dev, the holdout checks the few that are promoted; both need items enough for an
# interval that means something.
HOLDOUT_PERCENT = 50


def split_of(sample_id: str) -> Split:
    """dev or holdout, by a hash of the item's id alone: adding items to a set never moves another item."""
    bucket = int.from_bytes(hashlib.sha256(b"podium-split/" + sample_id.encode()).digest()[:4], "big") % 100
    return "holdout" if bucket < HOLDOUT_PERCENT else "dev"


def split_of_sample(sample: Sample) -> Split:
    """By its id, or by its `meta.group`, so that items which belong together (the outputs of a task) stay together."""
    return split_of(str(sample.meta.get("group", sample.id)))


class Header(Record):
    """The first line of an evalset whose items are not to be scored by `answer`; it may be left out."""

    evalset_version: Literal["1"]
    scorer: str


class ScoredSet(Record):
    """Which items a scorecard or predictions are about; equal sets make comparable scores."""

    name: str
    sha256: str  # of the file
    split: SplitChoice
    max_items: int | None = None  # the first N of the split


@dataclass(frozen=True)
class Evalset:
    name: str
    path: Path
    sha256: str
    samples: tuple[Sample, ...]
    scorer: str = DEFAULT

    def split(self, which: str, max_items: int | None = None) -> tuple[Sample, ...]:
        """The samples of `dev`, `holdout` or `all`, in file order. Raises UsageError: another name, or none there."""
        chosen = check_split(which)
        found = tuple(sample for sample in self.samples if chosen == "all" or split_of_sample(sample) == chosen)
        if not found:
            raise UsageError(f"evalset {self.name!r} has no items in split {which}; use `all` or a larger set")
        return found[:max_items]

    def part_name(self, samples: Sequence[Sample]) -> str:
        """The split that `samples` are, each once; `part` where they are none."""
        ids = {sample.id for sample in samples}
        in_split = {which: {s.id for s in self.samples if which in ("all", split_of_sample(s))} for which in SPLITS}
        return next((which for which in reversed(SPLITS) if in_split[which] == ids), "part")

    def chosen_scorer(self, asked_for: str | None) -> str:
        """What a config or a person asked for (`eval.scorer`), else what the evalset names."""
        return asked_for or self.scorer

    def scored_set(self, which: str, max_items: int | None = None) -> ScoredSet:
        return ScoredSet(name=self.name, sha256=self.sha256, split=check_split(which), max_items=max_items)


def check_split(which: str) -> SplitChoice:
    """Raises UsageError for a name that is not a split."""
    for split in SPLITS:
        if which == split:
            return split
    raise UsageError(f"split {which!r}, must be one of {', '.join(SPLITS)}")


def load_evalset(name_or_path: str | Path) -> Evalset:
    """Read an evalset by name or path.

    Raises:
        UsageError: not found, no items, a malformed line, an id twice or an unknown scorer; with file, line and reason.
    """
    path = find_evalset(str(name_or_path))
    if path.suffix == ".json":
        raise UsageError(
            f"{path}: a JSON file is no evalset; ARC challenges become one with their solutions (`podium evalset "
            f"import {path} --format arc --solutions FILE --as NAME`), and without them there is no score"
        )
    first_line: dict[str, int] = {}
    samples = []
    scorer = DEFAULT
    for number, value in read_jsonl(path):
        if number == 1 and isinstance(value, dict) and "evalset_version" in value:
            scorer = _header_scorer(value, f"{path}:1")
            continue
        sample = parse_record(Sample, value, f"{path}:{number}")
        if sample.id in first_line:
            raise UsageError(
                f"{path}:{number}: id {sample.id!r} is already on line {first_line[sample.id]}; ids must be unique"
            )
        first_line[sample.id] = number
        samples.append(sample)
    if not samples:
        raise UsageError(f"{path} holds no items; an evalset needs at least one")
    return Evalset(path.stem, path, sha256_file(path), tuple(samples), scorer)


def _header_scorer(value: dict[str, Any], where: str) -> str:
    scorer = parse_record(Header, value, where).scorer
    try:
        return get_scorer(scorer).spec
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def write_evalset(path: Path, samples: Iterable[Sample], replace: bool = False, scorer: str = DEFAULT) -> Evalset:
    """Write and read back.

    Raises:
        UsageError: `path` is there already and is not to be replaced, or `scorer` cannot judge one of the items.
    """
    if path.exists() and not replace:
        raise UsageError(f"evalset {path.stem!r} is there already ({path}); give another name or --replace")
    samples, judge = list(samples), get_scorer(scorer)
    for sample in samples:
        judge.check(sample)
    header = [] if scorer == DEFAULT else [Header(evalset_version="1", scorer=judge.spec).model_dump(mode="json")]
    write_jsonl(path, [*header, *(sample.model_dump(mode="json", exclude_defaults=True) for sample in samples)])
    return load_evalset(path)


def same_prompt_key(prompt: str) -> str:
    """Equal for prompts that differ only in case and white space."""
    return " ".join(prompt.casefold().split())


def duplicate_prompts(evalset: Evalset) -> list[tuple[str, str]]:
    """Pairs of ids: an item, and the earlier item that has the same prompt."""
    first: dict[str, str] = {}
    pairs = ((sample.id, first.setdefault(same_prompt_key(sample.prompt), sample.id)) for sample in evalset.samples)
    return [(later, earlier) for later, earlier in pairs if later != earlier]


def overlapping_ids(samples: Iterable[Sample], trainset: Path) -> tuple[str, ...]:
    """Ids of the samples whose prompt is also a training prompt. Raises UsageError for a malformed trainset."""
    trained_on = {same_prompt_key(trace.prompt) for trace in read_records(ReasoningTrace, trainset / "traces.jsonl")}
    return tuple(sample.id for sample in samples if same_prompt_key(sample.prompt) in trained_on)


def assert_disjoint(evalset: Evalset, trainset: Path) -> None:
    """Raises UsageError, naming the items, when a prompt of `evalset` is in the trainset in folder `trainset`."""
    found = overlapping_ids(evalset.samples, trainset)
    if found:
        raise UsageError(
            f"evalset {evalset.name!r} and trainset {trainset.name!r} share {len(found)} prompts "
            f"({named(found)}); remove them from one of the two"
        )


def named(ids: Iterable[str], limit: int = 5) -> str:
    """The first few of `ids`, and how many more there are."""
    listed = list(ids)
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more
