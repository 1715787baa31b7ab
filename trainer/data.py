"""From a trainset to batches. Which examples make up a step follows from (seed, step) alone: nothing has state."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from podium.core.errors import UsageError
from podium.core.records import ReasoningTrace
from trainer.template import completion_text, prompt_text
from trainer.trainsets import read_manifest, read_traces

FIELDS = {
    "tokens": np.int32,
    "targets": np.int32,  # the token that follows
    "weights": np.float32,  # 1 where the target is learned, 0 on the prompt and on padding
    "positions": np.int32,
    "segment_ids": np.int32,  # 1 for the example, 0 for padding
}


class Encoder(Protocol):
    """What of a tokenizer is needed here."""

    def encode_prompt(self, text: str) -> list[int]: ...
    def encode_completion(self, text: str) -> list[int]: ...


@dataclass(frozen=True)
class TokenizedTrainset:
    """Every example, padded to one length; each array of `fields` is (examples, seq)."""

    name: str
    sha256: str  # of traces.jsonl
    fields: dict[str, np.ndarray]
    n_truncated: int  # cut at the end, so that part of the completion is not learned
    n_dropped: int  # of the completion nothing was left

    @property
    def n_examples(self) -> int:
        return len(self.fields["tokens"])

    def batch(self, seed: int, step: int, accumulation: int, batch_size: int) -> dict[str, np.ndarray]:
        """The examples of `step`, counted from 0; each field is (accumulation, batch_size, seq)."""
        chosen = batch_indices(seed, step, self.n_examples, accumulation * batch_size)
        return {name: rows[chosen].reshape(accumulation, batch_size, -1) for name, rows in self.fields.items()}


def load_trainset(folder: Path, encoder: Encoder, max_seq_len: int) -> TokenizedTrainset:
    """Read and tokenise a trainset folder.

    Raises:
        UsageError: missing, changed or malformed files, or nothing left to learn in `max_seq_len` tokens.
    """
    manifest = read_manifest(folder)
    return tokenize(manifest.name, manifest.sha256, read_traces(folder), encoder, max_seq_len)


def tokenize(
    name: str, sha256: str, traces: Sequence[ReasoningTrace], encoder: Encoder, max_seq_len: int
) -> TokenizedTrainset:
    """Prompt and completion of every trace as one padded row. Raises UsageError when nothing is left to learn."""
    rows = [_row(trace, encoder, max_seq_len) for trace in traces]
    kept = [row for row, n_cut in rows if row["weights"].any()]
    if not kept:
        raise UsageError(
            f"trainset {name!r}: no completion is left of {len(rows)} examples with data.max_seq_len={max_seq_len}; "
            "raise data.max_seq_len"
        )
    n_truncated = sum(n_cut > 0 and bool(row["weights"].any()) for row, n_cut in rows)
    fields = {field: np.stack([row[field] for row in kept]) for field in FIELDS}
    return TokenizedTrainset(name, sha256, fields, n_truncated, n_dropped=len(rows) - len(kept))


def batch_indices(seed: int, step: int, n_examples: int, batch: int) -> np.ndarray:
    """The examples of `step`: the next of an endless row of epochs, each a permutation of its own. (batch,) int64"""
    places = np.arange(step * batch, (step + 1) * batch)
    epochs, offsets = places // n_examples, places % n_examples
    return np.array([_permutation(seed, int(epoch), n_examples)[at] for epoch, at in zip(epochs, offsets, strict=True)])


@lru_cache(maxsize=8)
def _permutation(seed: int, epoch: int, n: int) -> np.ndarray:
    # Raw Philox words sorted, and not Generator.permutation: numpy keeps only the former the same between releases.
    words = np.random.Philox(key=np.array([seed, epoch], dtype=np.uint64)).random_raw(n)
    return np.argsort(words, kind="stable")


def _row(trace: ReasoningTrace, encoder: Encoder, max_seq_len: int) -> tuple[dict[str, np.ndarray], int]:
    """One example, padded to (max_seq_len,), and how many of its tokens were cut.

    The last token is a target only, so an example of max_seq_len + 1 tokens still fits.
    """
    prompt, completion = (
        encoder.encode_prompt(prompt_text(trace.prompt)),
        encoder.encode_completion(completion_text(trace)),
    )
    ids = (prompt + completion)[: max_seq_len + 1]
    length = len(ids) - 1
    row = {name: np.zeros(max_seq_len, dtype) for name, dtype in FIELDS.items()}
    row["tokens"][:length] = ids[:-1]
    row["targets"][:length] = ids[1:]
    row["weights"][max(len(prompt) - 1, 0) : length] = 1.0
    row["positions"][:length] = np.arange(length)
    row["segment_ids"][:length] = 1
    return row, len(prompt) + len(completion) - len(ids)
