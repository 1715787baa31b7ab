"""Contamination of a trainset by an evalset: equal prompts, and near-duplicates.

An item is a near-duplicate if one training prompt holds at least half of its word n-grams, after GPT-3 (Brown et al.
2020, arXiv 2005.14165, appendix C). Numbers count as words. N-grams that many items share, such as an instruction, do
not count. A short item has too few n-grams to tell a copy from a similar item, so it must match as a whole.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from eval.sets.evalset import Evalset, asked, overlapping_ids, training_prompts
from podium.core.hashing import sha256_file
from podium.core.records import Record, iter_examples

NGRAM = 5  # words
NEAR = 0.5  # share of the item's n-grams
SHORT = 13  # an item with fewer words is compared as a whole
COMMON = 0.05  # an n-gram in more than this share of the items identifies none of them
_WORD = re.compile(r"\w+|[^\w\s]")
_END = " .,;:!?"
Gram = tuple[str, ...]


class NearDuplicate(Record):
    """An item and the example most similar to it."""

    id: str
    line: int  # of traces.jsonl, from 1, without blank lines
    shared: float  # share of the item's n-grams


class Contamination(Record):
    """The overlap of two files; compare their hashes before relying on it."""

    evalset: str
    evalset_sha256: str
    trainset: str
    trainset_sha256: str  # of traces.jsonl
    n_items: int
    exact: tuple[str, ...]  # items whose prompt is a training prompt, except for case and white space
    near: tuple[NearDuplicate, ...]  # other items, the most similar first
    ngram: int = NGRAM
    threshold: float = NEAR


def contamination(evalset: Evalset, trainset: Path) -> Contamination:
    """Compare every item with every example in the folder `trainset`. Raises UsageError for a malformed trainset."""
    traces = trainset / "traces.jsonl"
    exact = overlapping_ids(evalset.samples, trainset)
    others = [sample for sample in evalset.samples if sample.id not in set(exact)]
    prompts = [
        (line, prompt)
        for line, example in enumerate(iter_examples(traces), start=1)
        for prompt in training_prompts(example)
    ]
    similar = most_similar([asked(sample) for sample in others], [prompt for _, prompt in prompts])
    near = [
        NearDuplicate(id=sample.id, line=prompts[place][0], shared=shared)
        for sample, (place, shared) in zip(others, similar, strict=True)
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


def most_similar(items: Sequence[str], prompts: Sequence[str]) -> list[tuple[int, float]]:
    """For each item, the index of the prompt with most of its n-grams, and their share; (0, 0.0) if none has any."""
    # In a tie, the first prompt.
    return [
        max(shared.items(), key=lambda one: (one[1], -one[0]), default=(0, 0.0)) for shared in shares(items, prompts)
    ]


def shares(items: Sequence[str], prompts: Sequence[str]) -> list[dict[int, float]]:
    """For each item, the share of its n-grams that a prompt has, by the prompt's index, if it has any."""
    wanted = _telling([_item_grams(item) for item in items])
    relevant = frozenset[Gram]().union(*wanted)
    holders: dict[Gram, list[int]] = defaultdict(list)
    for place, prompt in enumerate(prompts):
        words = _words(prompt)
        for gram in {*_ngrams(words), _whole(words)} & relevant:
            holders[gram].append(place)
    counts = [Counter(place for gram in grams for place in holders.get(gram, ())) for grams in wanted]
    return [
        {place: count / len(grams) for place, count in counted.items()}
        for grams, counted in zip(wanted, counts, strict=True)
    ]


def _item_grams(text: str) -> frozenset[Gram]:
    words = _words(text)
    n_words = sum(word[0].isalnum() for word in words)
    return frozenset([_whole(words)]) if n_words < SHORT else _ngrams(words)


def _telling(items: Sequence[frozenset[Gram]]) -> list[frozenset[Gram]]:
    counts = Counter(gram for grams in items for gram in grams)
    limit = max(2, COMMON * len(items))
    return [frozenset(gram for gram in grams if counts[gram] <= limit) for grams in items]


def _words(text: str) -> list[str]:
    """Words and signs in lower case, without punctuation at the end."""
    return _WORD.findall(text.casefold().rstrip(_END))


def _whole(words: Sequence[str]) -> Gram:
    return ("", *words)  # an empty first word, so that it equals no n-gram


def _ngrams(words: Sequence[str]) -> frozenset[Gram]:
    return frozenset(tuple(words[i : i + NGRAM]) for i in range(len(words) - NGRAM + 1))
