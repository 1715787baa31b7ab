"""What an evalset shares with a trainset: the same prompts, and prompts that are nearly the same.

A near-duplicate is told by its word n-grams, as is usual since GPT-3 (Brown et al. 2020, arXiv 2005.14165, appendix C):
half of those of the item, or more, also stand in one prompt of the trainset. Numbers count as words. What many items
have in common, like an instruction, does not count. A short item has too few n-grams to tell a copy from a neighbour:
it must be there whole, sign for sign.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from eval.sets.evalset import Evalset, overlapping_ids
from podium.core.hashing import sha256_file
from podium.core.records import ReasoningTrace, Record, read_records

NGRAM = 5  # words
NEAR = 0.5  # of the item's n-grams
SHORT = 13  # an item of fewer words is compared whole
COMMON = 0.05  # an n-gram of more than this share of the items is no sign of any of them
_WORD = re.compile(r"\w+|[^\w\s]")
_END = " .,;:!?"
Gram = tuple[str, ...]


class NearDuplicate(Record):
    """An item and the trace that is most like it."""

    id: str
    line: int  # of traces.jsonl, from 1, blank ones not counted
    shared: float  # of the item's n-grams


class Contamination(Record):
    """A fact about two files: compare their hashes before relying on it."""

    evalset: str
    evalset_sha256: str
    trainset: str
    trainset_sha256: str  # of traces.jsonl
    n_items: int
    exact: tuple[str, ...]  # items whose prompt is a training prompt, but for case and white space
    near: tuple[NearDuplicate, ...]  # other items, most alike first
    ngram: int = NGRAM
    threshold: float = NEAR


def contamination(evalset: Evalset, trainset: Path) -> Contamination:
    """Compare every item with every trace in the folder `trainset`. Raises UsageError for a malformed trainset."""
    traces = trainset / "traces.jsonl"
    exact = overlapping_ids(evalset.samples, trainset)
    others = [sample for sample in evalset.samples if sample.id not in set(exact)]
    prompts = [trace.prompt for trace in read_records(ReasoningTrace, traces)]
    alike = most_alike([sample.prompt for sample in others], prompts)
    near = [
        NearDuplicate(id=sample.id, line=place + 1, shared=shared)
        for sample, (place, shared) in zip(others, alike, strict=True)
        if shared >= NEAR
    ]
    return Contamination(
        evalset=evalset.name,
        evalset_sha256=evalset.sha256,
        trainset=trainset.name,
        trainset_sha256=sha256_file(traces),
        n_items=len(evalset.samples),
        exact=exact,
        near=tuple(sorted(near, key=lambda found: -found.shared)),
    )


def most_alike(items: Sequence[str], prompts: Sequence[str]) -> list[tuple[int, float]]:
    """For each item the prompt that holds most of its n-grams, and the share it holds; (0, 0.0) where none does."""
    wanted = _telling([_item_grams(item) for item in items])
    asked_for = frozenset[Gram]().union(*wanted)
    holders: dict[Gram, list[int]] = defaultdict(list)
    for place, prompt in enumerate(prompts):
        words = _words(prompt)
        for gram in {*_ngrams(words), _whole(words)} & asked_for:
            holders[gram].append(place)
    return [_best(grams, holders) for grams in wanted]


def _item_grams(text: str) -> frozenset[Gram]:
    words = _words(text)
    n_words = sum(word[0].isalnum() for word in words)
    return frozenset([_whole(words)]) if n_words < SHORT else _ngrams(words)


def _telling(items: Sequence[frozenset[Gram]]) -> list[frozenset[Gram]]:
    counts = Counter(gram for grams in items for gram in grams)
    limit = max(2, COMMON * len(items))
    return [frozenset(gram for gram in grams if counts[gram] <= limit) for grams in items]


def _words(text: str) -> list[str]:
    """Words and signs, without regard to case and to punctuation at the end."""
    return _WORD.findall(text.casefold().rstrip(_END))


def _whole(words: Sequence[str]) -> Gram:
    return ("", *words)  # unlike any part of another text


def _ngrams(words: Sequence[str]) -> frozenset[Gram]:
    return frozenset(tuple(words[i : i + NGRAM]) for i in range(len(words) - NGRAM + 1))


def _best(grams: frozenset[Gram], holders: dict[Gram, list[int]]) -> tuple[int, float]:
    shared = Counter(place for gram in grams for place in holders.get(gram, ()))
    if not shared:
        return 0, 0.0
    count, place = max((count, -place) for place, count in shared.items())  # of equals the first
    return -place, count / len(grams)
