"""Turns a trainset into batches: tokenised once, then cut, padded or packed into rows of fixed length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from podium.core.config_sections import DataConfig
from podium.core.errors import UsageError
from podium.core.records import ReasoningTrace, Sample
from trainer.data.order import batch_indices, bucketed_indices
from trainer.data.packing import pack
from trainer.data.template import Template, choose_template
from trainer.data.tokenizer import Tokenizer
from trainer.data.trainsets import read_manifest, read_traces

FIELDS = {
    "tokens": np.int32,
    "targets": np.int32,  # the next token
    "weights": np.float32,  # 1 if the loss counts the target, 0 for the prompt and for padding
    "positions": np.int32,  # from 0 in each example
    "segment_ids": np.int32,  # 1 for the first example of a row, 2 for the next; 0 for padding
}


@dataclass(frozen=True)
class TokenizedTrainset:
    """Every example in rows of one length; each array of `fields` is (rows, seq)."""

    name: str
    sha256: str  # of traces.jsonl
    fields: dict[str, np.ndarray]
    n_examples: int  # one per row, unless they are packed
    n_truncated: int  # examples whose completion was cut at the end
    n_dropped: int  # examples without any token of the completion left
    template: str  # plain or chat
    bucket_lengths: tuple[int, ...]  # ascending; the last is the length of the rows

    @property
    def n_rows(self) -> int:
        return len(self.fields["tokens"])

    @property
    def lengths(self) -> list[int]:
        """The possible values of seq in `batch`."""
        return [self.bucket_lengths[bucket] for bucket in np.unique(self._buckets)]

    def batch(self, seed: int, step: int, accumulation: int, batch_size: int) -> dict[str, np.ndarray]:
        """The rows of `step`, counted from 0; each field is (accumulation, batch_size, seq)."""
        if len(self.bucket_lengths) == 1:
            length, chosen = self.bucket_lengths[0], batch_indices(seed, step, self.n_rows, accumulation * batch_size)
        else:
            bucket, chosen = bucketed_indices(seed, step, self._buckets, accumulation * batch_size)
            length = self.bucket_lengths[bucket]
        shape = (accumulation, batch_size, length)
        return {name: rows[chosen, :length].reshape(shape) for name, rows in self.fields.items()}

    @cached_property
    def _buckets(self) -> np.ndarray:
        """The number of each row's bucket. (rows,) uint8"""
        if len(self.bucket_lengths) == 1:
            return np.zeros(self.n_rows, np.uint8)
        return np.searchsorted(self.bucket_lengths, (self.fields["segment_ids"] > 0).sum(axis=1)).astype(np.uint8)


def load_trainset(folder: Path, tokenizer: Tokenizer, data: DataConfig) -> TokenizedTrainset:
    """Read and tokenise a trainset folder.

    Raises:
        UsageError: missing, changed or malformed files, no such template, or no completion that fits.
    """
    manifest = read_manifest(folder)
    return tokenize(manifest.name, manifest.sha256, read_traces(folder), choose_template(tokenizer, data), data)


def tokenize(
    name: str, sha256: str, traces: Sequence[ReasoningTrace], template: Template, data: DataConfig
) -> TokenizedTrainset:
    """Prompt and completion of every trace in padded rows. Raises UsageError if no completion fits."""
    examples = [_Example(template.prompt(trace.prompt), template.completion(trace)) for trace in traces]
    kept = [example for example in examples if example.n_learned(data.max_seq_len)]
    if not kept:
        raise UsageError(
            f"trainset {name!r}: no completion is left of {len(examples)} examples with "
            f"data.max_seq_len={data.max_seq_len}; raise data.max_seq_len"
        )
    rows = [[number] for number in range(len(kept))]
    if data.packing:
        rows = pack([example.n_tokens(data.max_seq_len) for example in kept], data.max_seq_len)
    filled = [_row([kept[number] for number in numbers], data.max_seq_len) for numbers in rows]
    return TokenizedTrainset(
        name=name,
        sha256=sha256,
        fields={field: np.stack([row[field] for row in filled]) for field in FIELDS},
        n_examples=len(kept),
        n_truncated=sum(example.n_tokens() > data.max_seq_len for example in kept),
        n_dropped=len(examples) - len(kept),
        template=template.name,
        bucket_lengths=(*data.length_buckets, data.max_seq_len),
    )


def answer_rows(samples: Sequence[Sample], template: Template, data: DataConfig) -> dict[str, np.ndarray] | None:
    """Prompt and expected answer of each sample, one per row; None if no answer fits."""
    traces = [ReasoningTrace(prompt=sample.prompt, final_answer=sample.expected_answer) for sample in samples]
    try:
        return tokenize("answers", "", traces, template, data.model_copy(update={"packing": False})).fields
    except UsageError:
        return None


def in_batches(rows: dict[str, np.ndarray], size: int) -> Iterator[dict[str, np.ndarray]]:
    """Batches of `size` rows. The last one is filled up with copies of the last row, with weight 0."""
    n_rows = len(rows["tokens"])
    for start in range(0, n_rows, size):
        chosen = np.arange(start, start + size)
        batch = {name: field[np.minimum(chosen, n_rows - 1)] for name, field in rows.items()}
        batch["weights"][chosen >= n_rows] = 0.0
        yield batch


@dataclass(frozen=True)
class _Example:
    prompt: list[int]
    completion: list[int]

    def n_tokens(self, limit: int | None = None) -> int:
        """Tokens in a row. The last token is only a target, so an example of limit + 1 tokens still fits."""
        n = len(self.prompt) + len(self.completion) - 1
        return n if limit is None else min(n, limit)

    def n_learned(self, limit: int) -> int:
        """Tokens of the completion that the loss counts."""
        return max(self.n_tokens(limit) - max(len(self.prompt) - 1, 0), 0)


def _row(examples: Sequence[_Example], max_seq_len: int) -> dict[str, np.ndarray]:
    """Examples one after another, each with its own segment id, padded to (max_seq_len,)."""
    row = {name: np.zeros(max_seq_len, dtype) for name, dtype in FIELDS.items()}
    start = 0
    for segment, example in enumerate(examples, start=1):
        length, ids = example.n_tokens(max_seq_len), example.prompt + example.completion
        end = start + length
        row["tokens"][start:end] = ids[:length]
        row["targets"][start:end] = ids[1 : length + 1]
        row["weights"][start + max(len(example.prompt) - 1, 0) : end] = 1.0
        row["positions"][start:end] = np.arange(length)
        row["segment_ids"][start:end] = segment
        start = end
    return row
