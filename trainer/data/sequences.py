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

    for start, end in spans:
        first = bisect_right(range(len(ids)), start, key=end_of)
        learned[first : bisect_right(range(len(ids)), end, lo=first, key=end_of)] = True
    return TokenSequence(ids, learned)
