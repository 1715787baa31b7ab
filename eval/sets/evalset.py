"""Evalsets: JSONL files of samples, split by item id, checked before use."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from eval.scorers import DEFAULT, get_scorer
from eval.scorers.base import Scorer
from eval.scorers.extracting import ExtractingScorer
from podium.core.errors import UsageError
from podium.core.files import read_jsonl, write_jsonl
from podium.core.gold import fault_of_gold
from podium.core.hashing import sha256_file
from podium.core.paths import find_evalset
from podium.core.records import Example, Record, Sample, iter_examples, parse_record, user_turns
from podium.core.wording import counted, named

Split = Literal["dev", "holdout"]
SplitChoice = Literal["dev", "holdout", "all"]
SPLITS: tuple[SplitChoice, ...] = ("dev", "holdout", "all")

# A sweep selects among many trials on dev, and the holdout checks the few that are promoted. Both need enough items for
# a useful interval.
HOLDOUT_PERCENT = 50


def split_of(sample_id: str) -> Split:
    """dev or holdout, by a hash of the item's id alone, so that adding items to a set moves no other item."""
    bucket = int.from_bytes(hashlib.sha256(b"podium-split/" + sample_id.encode()).digest()[:4], "big") % 100
    return "holdout" if bucket < HOLDOUT_PERCENT else "dev"


def cluster_label(sample: Sample) -> str:
    """What a sample stays together with: its `meta.group` (a passage, a template, an ARC task), else itself, its id."""
    return str(sample.meta.get("group", sample.id))


def split_of_sample(sample: Sample) -> Split:
    """The split of a sample; those of a group are in one split."""
    return split_of(cluster_label(sample))


class Header(Record):
    """The optional first line of an evalset, which names its scorer; without it the scorer is `answer`."""

    evalset_version: Literal["1"]
    scorer: str


class ScoredSet(Record):
    """The items that a scorecard or predictions cover; scores on equal sets are comparable."""

    name: str
    sha256: str  # of the file
    split: SplitChoice
    max_items: int | None = None  # only the first N of the split


@dataclass(frozen=True)
class Evalset:
    name: str
    path: Path
    sha256: str
    samples: tuple[Sample, ...]
    scorer: str = DEFAULT

    def split(self, which: str, max_items: int | None = None) -> tuple[Sample, ...]:
        """The samples of `dev`, `holdout` or `all`, in file order. Raises UsageError: unknown or empty split."""
        chosen = check_split(which)
        found = tuple(sample for sample in self.samples if chosen == "all" or split_of_sample(sample) == chosen)
        if not found:
            raise UsageError(f"evalset {self.name!r} has no items in split {which}; use `all` or a larger set")
        return found[:max_items]

    def part_name(self, samples: Sequence[Sample]) -> str:
        """The name of the split that consists of exactly these samples, or `part`."""
        ids = {sample.id for sample in samples}
        in_split = {which: {s.id for s in self.samples if which in ("all", split_of_sample(s))} for which in SPLITS}
        return next((which for which in reversed(SPLITS) if in_split[which] == ids), "part")

    def chosen_scorer(self, asked_for: str | None) -> str:
        """`asked_for` (from a config or an option) if given, else the evalset's own scorer."""
        return asked_for or self.scorer

    def scored_set(self, which: str, max_items: int | None = None) -> ScoredSet:
        return ScoredSet(name=self.name, sha256=self.sha256, split=check_split(which), max_items=max_items)


def check_split(which: str) -> SplitChoice:
    """`which` as a split. Raises UsageError if it is not one."""
    for split in SPLITS:
        if which == split:
            return split
    raise UsageError(f"split {which!r}, must be one of {', '.join(SPLITS)}")


def load_evalset(name_or_path: str | Path) -> Evalset:
    """Read an evalset by name or path.

    Raises:
        UsageError: the file is missing or has no items, a malformed line, a repeated id or an unknown scorer; the
            message has file, line and reason.
    """
    path = find_evalset(str(name_or_path))
    if path.suffix == ".json":
        raise UsageError(
            f"{path}: an evalset is a JSONL file, not JSON; import ARC challenges with their solutions: "
            f"podium evalset import {path} --format arc --solutions FILE --as NAME"
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


def check_new(path: Path, replace: bool) -> Path:
    """`path`. Raises UsageError if it exists and `replace` is false."""
    if path.exists() and not replace:
        raise UsageError(f"evalset {path.stem!r} already exists ({path}); choose another name, or pass --replace")
    return path


def check_items(samples: Iterable[Sample], judge: Scorer) -> None:
    """Raises UsageError, naming the item, if the scorer cannot judge one, or if no prediction could be right."""
    for sample in samples:
        judge.check(sample)
        # The other scorers look for the expected answer as it is, and a contest of formats may ask for a code fence.
        fault = fault_of_gold(sample.expected_answer) if isinstance(judge, ExtractingScorer) else None
        if fault:
            raise UsageError(f"item {sample.id!r}: expected_answer {sample.expected_answer!r} {fault}")


def write_evalset(path: Path, samples: Iterable[Sample], replace: bool = False, scorer: str = DEFAULT) -> Evalset:
    """Write an evalset and read it back.

    Raises:
        UsageError: `check_new` or `check_items` raises it.
    """
    check_new(path, replace)
    samples, judge = list(samples), get_scorer(scorer)
    check_items(samples, judge)
    header = [] if scorer == DEFAULT else [Header(evalset_version="1", scorer=judge.spec).model_dump(mode="json")]
    write_jsonl(path, [*header, *(sample.model_dump(mode="json", exclude_defaults=True) for sample in samples)])
    return load_evalset(path)


def same_prompt_key(prompt: str) -> str:
    """A key that is equal for prompts that differ only in case and white space."""
    return " ".join(prompt.casefold().split())


def duplicate_prompts(evalset: Evalset) -> list[tuple[str, str]]:
    """Pairs of ids: an item, and the earlier item with the same prompt."""
    first: dict[str, str] = {}
    texts = ((sample.id, "\n".join(turn.content for turn in sample.turns)) for sample in evalset.samples)
    pairs = ((id_, first.setdefault(same_prompt_key(text), id_)) for id_, text in texts)
    return [(later, earlier) for later, earlier in pairs if later != earlier]


def asked(sample: Sample) -> str:
    """What the user asks in an item, in all turns together."""
    return "\n".join(user_turns(sample))


def training_prompts(example: Example) -> tuple[str, ...]:
    """What an example teaches to answer: each turn of the user alone, and after the turns before it."""
    turns = user_turns(example)
    return (*turns, *("\n".join(turns[:n]) for n in range(2, len(turns) + 1)))


def overlapping_ids(samples: Iterable[Sample], trainset: Path) -> tuple[str, ...]:
    """The ids of the samples whose prompt is also in the trainset. Raises UsageError for a malformed trainset."""
    examples = iter_examples(trainset / "traces.jsonl")
    training = {same_prompt_key(prompt) for example in examples for prompt in training_prompts(example)}
    return tuple(sample.id for sample in samples if same_prompt_key(asked(sample)) in training)


def assert_disjoint(evalset: Evalset, trainset: Path) -> None:
    """Raises UsageError, naming the items, if the trainset in the folder `trainset` holds a prompt of `evalset`."""
    found = overlapping_ids(evalset.samples, trainset)
    if found:
        raise UsageError(
            f"evalset {evalset.name!r} and trainset {trainset.name!r} share {counted(len(found), 'prompt')} "
            f"({named(found)}); remove them from one of the two"
        )
