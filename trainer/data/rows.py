"""Turns a trainset into batches: tokenised once, then cut, padded or packed into rows of fixed length."""

from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from podium.core.config_sections import DataConfig
from podium.core.errors import UsageError
from podium.core.records import Conversation, Example, Message, ReasoningTrace, Sample
from podium.core.resolved import ResolvedData
from trainer.data.layouts import Layout, layout_of, tagged
from trainer.data.order import batch_indices, bucketed_indices
from trainer.data.packing import pack
from trainer.data.sequences import BadExample, LearnedRuns, TokenSequence, learned_runs
from trainer.data.template import Template, choose_template
from trainer.data.tokenizer import Tokenizer
from trainer.data.trainsets import iter_examples, read_manifest

FIELDS = {
    "tokens": np.int32,
    "targets": np.int32,  # the next token
    "weights": np.float32,  # 1 if the loss counts the target, 0 for the prompt and for padding
    "positions": np.int32,  # from 0 in each example
    "segment_ids": np.int32,  # 1 for the first example of a row, 2 for the next; 0 for padding
}
CHUNK = 250  # examples that are tokenised together, so that few of them are in memory as text


@dataclass(frozen=True)
class TokenizedTrainset:
    """The tokens of every example, of which `batch` makes rows.

    `ids` and `learned` are (tokens,): int32, and bool for whether the loss counts the token. Example i has the tokens
    from starts[i] to starts[i + 1]. Row r has the examples from row_starts[r] to row_starts[r + 1] in `order`.
    """

    name: str
    sha256: str  # of traces.jsonl
    ids: np.ndarray
    learned: np.ndarray
    starts: np.ndarray  # (examples + 1,) int64
    order: np.ndarray  # (examples,) int64
    row_starts: np.ndarray  # (rows + 1,) int64
    n_truncated: int  # examples of which the end of what is learned was cut
    n_dropped: int  # examples without any learned token left
    template: str  # plain or chat
    layout: Layout | Literal["mixed"]  # of the examples
    notes: tuple[str, ...]  # what the user should know of how the examples were written
    bucket_lengths: tuple[int, ...]  # ascending; the last is the length of the rows

    @property
    def n_examples(self) -> int:
        """One per row, unless they are packed."""
        return len(self.starts) - 1

    @property
    def n_rows(self) -> int:
        return len(self.row_starts) - 1

    @property
    def lengths(self) -> list[int]:
        """The possible values of seq in `batch`."""
        return [self.bucket_lengths[bucket] for bucket in np.unique(self._buckets)]

    @property
    def fields(self) -> dict[str, np.ndarray]:
        """All rows; each field is (rows, seq)."""
        return self._rows(np.arange(self.n_rows), self.bucket_lengths[-1])

    def batch(self, seed: int, step: int, accumulation: int, batch_size: int) -> dict[str, np.ndarray]:
        """The rows of `step`, counted from 0; each field is (accumulation, batch_size, seq)."""
        if len(self.bucket_lengths) == 1:
            length, chosen = self.bucket_lengths[0], batch_indices(seed, step, self.n_rows, accumulation * batch_size)
        else:
            bucket, chosen = bucketed_indices(seed, step, self._buckets, accumulation * batch_size)
            length = self.bucket_lengths[bucket]
        shape = (accumulation, batch_size, length)
        return {name: rows.reshape(shape) for name, rows in self._rows(chosen, length).items()}

    @cached_property
    def _n_tokens(self) -> np.ndarray:
        """Tokens of each example in its row. (examples,) int64"""
        return n_tokens(np.diff(self.starts), self.bucket_lengths[-1])

    @cached_property
    def _buckets(self) -> np.ndarray:
        """The number of each row's bucket. (rows,) uint8"""
        if len(self.bucket_lengths) == 1:
            return np.zeros(self.n_rows, np.uint8)
        return np.searchsorted(self.bucket_lengths, self._n_tokens).astype(np.uint8)  # one example per row

    def _rows(self, chosen: np.ndarray, length: int) -> dict[str, np.ndarray]:
        """The rows `chosen`, each with its examples one after another, padded to (rows, length)."""
        row, segment = _ragged(np.diff(self.row_starts)[chosen])  # of each example
        examples = self.order[self.row_starts[chosen][row] + segment]
        counts = self._n_tokens[examples]
        before = np.cumsum(counts) - counts
        column = before - before[np.searchsorted(row, row)]  # where each example begins in its row
        example, position = _ragged(counts)  # of each token
        at = self.starts[examples][example] + position
        places = (row * length + column)[example] + position
        values = {
            "tokens": self.ids[at],
            "targets": self.ids[at + 1],
            "weights": self.learned[at + 1],
            "positions": position,
            "segment_ids": (segment + 1)[example],
        }
        rows = {}
        for name, dtype in FIELDS.items():
            flat = np.zeros(len(chosen) * length, dtype)
            flat[places] = values[name]
            rows[name] = flat.reshape(len(chosen), length)
        return rows


@dataclass(frozen=True)
class EncodedTrainset:
    """Every example as tokens, before any is cut, left out or packed. `ids` and `learned` are as in TokenizedTrainset,
    and example i has the tokens from starts[i] to starts[i + 1]."""

    name: str
    sha256: str  # of traces.jsonl
    ids: np.ndarray
    learned: np.ndarray
    starts: np.ndarray  # (examples + 1,) int64
    template: str
    layout: Layout | Literal["mixed"]
    notes: tuple[str, ...]

    @cached_property
    def runs(self) -> LearnedRuns:
        return learned_runs(self.learned, self.starts)

    def only(self, kept: np.ndarray) -> "EncodedTrainset":
        """The examples for which `kept`, (examples,) bool, is set."""
        if kept.all():
            return self
        counts = np.diff(self.starts)
        tokens, starts = np.repeat(kept, counts), np.concatenate([[0], np.cumsum(counts[kept])])
        return replace(self, ids=self.ids[tokens], learned=self.learned[tokens], starts=starts)


def load_trainset(folder: Path, tokenizer: Tokenizer, data: DataConfig) -> EncodedTrainset:
    """Read and tokenise a trainset folder.

    Raises:
        UsageError: missing, changed or malformed files, no such template, or an example that it cannot write.
    """
    manifest = read_manifest(folder)
    return encode(manifest.name, manifest.sha256, iter_examples(folder), choose_template(tokenizer, data), data)


def encode(
    name: str, sha256: str, examples: Iterable[Example], template: Template, data: DataConfig
) -> EncodedTrainset:
    """The examples as tokens. Raises UsageError: one cannot be written."""
    layouts, n_read = set[Layout](), 0
    ids, learned, starts = array("i"), bytearray(), array("q", [0])  # which grow without being copied
    for chunk, made in _ahead(template.sequences, examples):
        try:
            sequences = made.result()
        except BadExample as error:
            raise UsageError(f"trainset {name!r}, line {n_read + error.index + 1}: {error}") from error
        layouts |= {layout_of(example, data.layout) for example in chunk}
        n_read += len(chunk)
        for sequence in sequences:
            ids.frombytes(sequence.ids.tobytes())
            learned += sequence.learned.tobytes()
            starts.append(len(ids))
    return EncodedTrainset(
        name=name,
        sha256=sha256,
        ids=np.frombuffer(ids, np.int32),
        learned=np.frombuffer(learned, bool),
        starts=np.frombuffer(starts, np.int64),
        template=template.name,
        layout=layouts.pop() if len(layouts) == 1 else "mixed",
        notes=template.notes,
    )


def in_rows(encoded: EncodedTrainset, data: ResolvedData) -> TokenizedTrainset:
    """The examples in padded or packed rows. Raises UsageError: nothing to learn fits."""
    limit, n_read = data.max_seq_len, len(encoded.starts) - 1
    kept, n_truncated = encoded.runs.fitting(n_read, limit)
    if not kept.any():
        raise UsageError(
            f"trainset {encoded.name!r}: no completion is left of {n_read} examples with "
            f"data.max_seq_len={limit}; raise data.max_seq_len"
        )
    encoded = encoded.only(kept)
    lengths = np.diff(encoded.starts)
    rows = pack(n_tokens(lengths, limit).tolist(), limit) if data.packing else np.arange(len(lengths))[:, None]
    return TokenizedTrainset(
        name=encoded.name,
        sha256=encoded.sha256,
        ids=encoded.ids,
        learned=encoded.learned,
        starts=encoded.starts,
        order=np.concatenate(rows),
        row_starts=np.concatenate([[0], np.cumsum([len(row) for row in rows])]),
        n_truncated=n_truncated,
        n_dropped=n_read - len(lengths),
        template=encoded.template,
        layout=encoded.layout,
        notes=encoded.notes,
        bucket_lengths=(*data.length_buckets, limit),
    )


def _ahead(
    make: Callable[[list[Example]], list[TokenSequence]], examples: Iterable[Example]
) -> Iterator[tuple[list[Example], Future[list[TokenSequence]]]]:
    """The examples in chunks, each with what `make` makes of it, while another one is read or made.

    The tokenizer encodes without Python's lock, so a thread may render the next chunk meanwhile.
    """
    left, waiting = iter(examples), deque[tuple[list[Example], Future[list[TokenSequence]]]]()
    with ThreadPoolExecutor(max_workers=2) as pool:
        while chunk := list(islice(left, CHUNK)):
            waiting.append((chunk, pool.submit(make, chunk)))
            if len(waiting) > 2:
                yield waiting.popleft()
        yield from waiting


def n_tokens(lengths: np.ndarray, limit: int) -> np.ndarray:
    """Tokens in a row of examples of these lengths. The last is only a target, so limit + 1 tokens still fit."""
    return np.minimum(lengths - 1, limit)


def answer_rows(
    samples: Sequence[Sample], tokenizer: Tokenizer, data: ResolvedData, trained: TokenizedTrainset
) -> dict[str, np.ndarray] | None:
    """Prompt and expected answer of each sample, one per row, as `trained` lays out; None if no answer fits."""
    data = data.model_copy(update={"packing": False, "layout": "auto", "loss_on": "last"})
    examples = [_expected(sample, trained.layout) for sample in samples]
    try:
        return in_rows(encode("answers", "", examples, choose_template(tokenizer, data), data), data).fields
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


def _expected(sample: Sample, layout: str) -> Example:
    """The sample with its expected answer, written as the answers of the trainset are."""
    if layout != "text" and not sample.messages:
        return ReasoningTrace(prompt=sample.prompt, final_answer=sample.expected_answer)
    text = sample.expected_answer if layout == "text" else tagged(sample.expected_answer)
    return Conversation(messages=(*sample.turns, Message(role="assistant", content=text)), tools=sample.tools)


def _ragged(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For parts of these lengths one after another: the part of each element, and its place in the part."""
    part = np.repeat(np.arange(len(counts)), counts)
    return part, np.arange(len(part)) - np.repeat(np.cumsum(counts) - counts, counts)
