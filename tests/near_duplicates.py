"""The measure of near-duplicate prompts: word 5-grams after masking, Jaccard similarity of at least 0.8.

Masking (every number is `#`, every name of a person or place `@`) is the stricter of the two usual ways: without it,
one template filled in twice with other numbers and names would count as two different prompts.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from trainer.recipes.reasoning_problems.problem import NAMES

GRAM = 5
SIMILAR = 0.8


def words(prompt: str) -> list[str]:
    """Lower-case words with numbers and names masked, punctuation gone."""
    text = re.sub(r"\d+(?:[.,:]\d+)*", "#", prompt)
    text = re.sub(r"(?<![.!?:\"'] )(?<!^)(?<![\"'])\b[A-Z][a-z]+", "@", text)  # a capital within a sentence
    text = re.sub(rf"\b(?:{'|'.join(NAMES)})\b", "@", text)
    return re.findall(r"[#@]|[^\W\d_]+", text.casefold())


def grams(prompt: str) -> frozenset[tuple[str, ...]]:
    """Every run of five words; all the words where there are fewer."""
    found = words(prompt)
    return frozenset(tuple(found[i : i + GRAM]) for i in range(max(1, len(found) - GRAM + 1)))


def near_pairs(left: Sequence[str], right: Sequence[str], similar: float = SIMILAR) -> Iterable[tuple[int, int]]:
    """Indices (i, j) of prompts of `left` and `right` that are near-duplicates."""
    right_grams = [grams(prompt) for prompt in right]
    holders = defaultdict(list)
    for j, found in enumerate(right_grams):
        for gram in found:
            holders[gram].append(j)
    for i, prompt in enumerate(left):
        found = grams(prompt)
        for j, shared in Counter(j for gram in found for j in holders[gram]).items():
            if shared / (len(found) + len(right_grams[j]) - shared) >= similar:
                yield i, j


def repeats(prompts: Sequence[str], similar: float = SIMILAR) -> list[str]:
    """The prompts that are near-duplicates of an earlier one."""
    return [prompts[i] for i in sorted({i for i, j in near_pairs(prompts, prompts, similar) if j < i})]
