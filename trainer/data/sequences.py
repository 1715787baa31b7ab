"""An example as tokens, and which of them are learned."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from podium.core.errors import UsageError


class BadExample(UsageError):
    """An example that a template cannot write; `index` is its place among those that were given."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(reason)
        self.index = index


@dataclass(frozen=True)
class TokenSequence:
    """The tokens of one example."""

    ids: np.ndarray  # (tokens,) int32
    learned: np.ndarray  # (tokens,) bool, whether the loss counts the token as a target


def joined(parts: Iterable[tuple[Sequence[int], bool]]) -> TokenSequence:
    """One sequence of parts that were encoded separately: (ids, learned)."""
    parts = list(parts)
    ids = np.array([token for tokens, _ in parts for token in tokens], np.int32)
    return TokenSequence(ids, np.repeat([learned for _, learned in parts], [len(tokens) for tokens, _ in parts]))


def of_spans(tokens: Sequence[int], encoding: Any, spans: Iterable[tuple[int, int]]) -> TokenSequence:
    """The sequence of an encoded text that is learned in `spans`: (start, end) in characters.

    `encoding` is the `tokenizers.Encoding` of the tokens.

    A token is learned if it ends within a span. Only the ends of tokens are asked for: a tokenizer may leave leading
    white space out of a token's offsets.
    """
    ids = np.array(tokens, np.int32)
    learned = np.zeros(len(ids), bool)

    def end_of(token: int) -> int:
        end: int = encoding.token_to_chars(token)[1]
        return end

    def ending_after(place: int) -> int:
        token = encoding.char_to_token(place)  # None for white space that was left out, and after the last token
        return bisect_right(range(len(ids)), place, key=end_of) if token is None else token

    for start, end in spans:
        learned[ending_after(start) : ending_after(end)] = True
    return TokenSequence(ids, learned)


@dataclass(frozen=True)
class LearnedRuns:
    """The parts of examples that are learned: one entry for each run of learned tokens, in order."""

    example: np.ndarray  # (runs,) its number
    start: np.ndarray  # (runs,) tokens of the example before the run
    length: np.ndarray  # (runs,) tokens

    def fitting(self, n_examples: int, limit: int) -> tuple[np.ndarray, int]:
        """Which examples have a learned target in a row of `limit` tokens, (examples,) bool, and how many of these
        lose a part of what is learned. The first token of an example is never a target."""
        ends = self.start + self.length
        kept, cut = np.zeros((2, n_examples), bool)
        kept[self.example[(np.maximum(self.start, 1) <= limit) & (ends > 1)]] = True
        cut[self.example[ends > limit + 1]] = True
        return kept, int((kept & cut).sum())


def learned_runs(learned: np.ndarray, starts: np.ndarray) -> LearnedRuns:
    """The runs of examples one after another: (tokens,) bool, and where each begins and the last ends."""
    first, last = learned.copy(), learned.copy()
    first[1:] &= ~learned[:-1]
    last[:-1] &= ~learned[1:]
    edges = starts[1:-1]  # a run ends with its example
    first[edges], last[edges - 1] = learned[edges], learned[edges - 1]
    begins, ends = np.flatnonzero(first), np.flatnonzero(last) + 1
    example = np.searchsorted(starts, begins, side="right") - 1
    return LearnedRuns(example, begins - starts[example], ends - begins)
