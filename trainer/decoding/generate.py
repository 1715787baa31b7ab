"""Answers to prompts: each waits for a free row of the device, and its row goes to the next one when it has ended."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from podium.core.clock import Deadline
from podium.core.config_sections import GenerateConfig
from podium.core.records import FinishReason, Prediction, Prompt
from trainer.data.template import Template
from trainer.data.tokenizer import Tokenizer
from trainer.decoding.sampling import item_key
from trainer.decoding.slots import Slots

BURST = 32  # tokens a row, at most, between two looks at the deadlines and at the stop strings
SHORTEST_BUCKET = 32


@dataclass(frozen=True)
class DecodingFunctions:
    """The compiled functions of trainer/decoding/slots.py, with parameters and hyperparameters filled in."""

    empty: Callable[[], Slots]
    admit: Callable[..., Slots]  # slots, tokens, segment_ids, keys, rows
    decode: Callable[..., Slots]  # slots, idle, n_free, most


@dataclass(frozen=True)
class Item:
    """One of the samples asked of a prompt."""

    place: int  # in the order of the answers
    id: str
    sample: int
    prompt: list[int]
    bucket: int

    def prediction(self, text: str, n: int, reason: FinishReason) -> Prediction:
        return Prediction(id=self.id, sample=self.sample, text=text, n_output_tokens=n, finish_reason=reason)


def prompt_buckets(longest: int) -> list[int]:
    """Lengths that prompts are padded to, the shortest first: the quarters of the longest, none tiny."""
    return [length for length in (longest * n // 4 for n in (1, 2, 3)) if length >= SHORTEST_BUCKET] + [longest]


def n_admitted(batch_size: int) -> int:
    """How many prompts are put in together: a twelfth of the rows, so that few rows wait and few places go unused."""
    return -(-batch_size // 12)


def generate(
    samples: Sequence[Prompt],
    tokenizer: Tokenizer,
    template: Template,
    config: GenerateConfig,
    functions: DecodingFunctions,
    deadline: Deadline,
) -> tuple[list[Prediction], int]:
    """`config.num_samples` answers to each prompt, in the order of the samples, and how many prompts were cut.

    A prompt that is too long loses its beginning. An answer that `deadline` left no time for is not there; one that
    took longer than `config.item_time_budget_s` is there as far as it was written. What is drawn depends on the seed,
    the sample's id and its number, and not on what is decoded beside it.
    """
    items, n_cut = _items(samples, template, config)
    rows = _Rows(items, tokenizer, config, functions, deadline)
    answers = dict(rows.answers())
    return [answers[item.place] for item in items if item.place in answers], n_cut


def _items(samples: Sequence[Prompt], template: Template, config: GenerateConfig) -> tuple[list[Item], int]:
    buckets = prompt_buckets(config.max_prompt_tokens)
    items: list[Item] = []
    n_cut = 0
    for sample in samples:
        ids = template.prompt(sample.prompt)
        n_cut += len(ids) > buckets[-1]
        kept = ids[-buckets[-1] :]
        bucket = next(length for length in buckets if len(kept) <= length)
        items += [Item(len(items) + n, sample.id, n, kept, bucket) for n in range(config.num_samples)]
    return items, n_cut


class _Rows:
    """Which item is in which row of the device."""

    def __init__(
        self,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        config: GenerateConfig,
        functions: DecodingFunctions,
        deadline: Deadline,
    ) -> None:
        self._tokenizer, self._config, self._functions, self._deadline = tokenizer, config, functions, deadline
        self._waiting = deque(items)
        self._held: list[Item | None] = [None] * config.batch_size
        self._own = [deadline] * config.batch_size  # each row's deadline
        self._n = np.zeros(config.batch_size, np.int32)  # tokens in each row
        self._token_s: float | None = None  # how long the newest took
        self._group = n_admitted(config.batch_size)

    def answers(self) -> Iterator[tuple[int, Prediction]]:
        """(place, prediction) of each item as it ends, until all have or the deadline has passed."""
        if not self._waiting:
            return
        slots = self._functions.empty()
        while (self._waiting or any(self._held)) and not self._deadline.expired():
            if self._n_free() >= min(self._group, len(self._waiting)):
                while self._waiting and self._n_free():  # an idle row costs more than a group that is not full
                    slots = self._admit(slots)
            slots = self._decode(slots)
            yield from self._ended(slots)

    def _decode(self, slots: Slots) -> Slots:
        """Go on until rows are free for those that wait, or until it is time to look at the deadlines."""
        idle = np.array([item is None for item in self._held])
        n_free = self._group if self._waiting else len(self._held)
        started_s, n_before = self._deadline.clock.now(), self._n
        slots = self._functions.decode(slots, idle, np.int32(n_free), np.int32(self._burst()))
        self._n = np.array(slots.n)
        if n_new := int((self._n - n_before).max()):
            self._token_s = (self._deadline.clock.now() - started_s) / n_new
        return slots

    def _burst(self) -> int:
        """As many tokens as the nearest deadline has time for, by how long the last ones took."""
        nearest_s = min(own.remaining_s() for own, item in zip(self._own, self._held, strict=True) if item)
        left_s = min(nearest_s, self._deadline.remaining_s())
        if left_s == float("inf"):
            return BURST
        if self._token_s is None:
            return 1
        return BURST if left_s >= BURST * self._token_s else max(1, int(left_s / self._token_s))

    def _n_free(self) -> int:
        return self._held.count(None)

    def _admit(self, slots: Slots) -> Slots:
        """Put in the next items, all of one bucket, so that an item's bucket never depends on its neighbours."""
        bucket = self._waiting[0].bucket
        most = min(self._group, self._n_free())
        chosen = [item for item in self._waiting if item.bucket == bucket][:most]
        taken = {item.place for item in chosen}
        self._waiting = deque(item for item in self._waiting if item.place not in taken)
        rows = np.full(self._group, len(self._held), np.int32)  # beyond the last row
        rows[: len(chosen)] = [row for row, item in enumerate(self._held) if item is None][: len(chosen)]
        keys = np.zeros((self._group, 2), np.uint32)
        for number, item in enumerate(chosen):
            self._held[rows[number]] = item
            keys[number] = item_key(self._config.seed, item.id, item.sample)
        tokens, segment_ids = pad_prompts([item.prompt for item in chosen], self._group, bucket)
        slots = self._functions.admit(slots, tokens, segment_ids, keys, rows)
        for row in rows[: len(chosen)]:
            self._n[row], self._own[row] = (
                1,
                Deadline.after(self._config.item_time_budget_s, clock=self._deadline.clock),
            )
        return slots

    def _ended(self, slots: Slots) -> Iterator[tuple[int, Prediction]]:
        tokens, done = np.asarray(slots.tokens), np.asarray(slots.done)
        for row, item in enumerate(self._held):
            if item is None:
                continue
            prediction = self._read(item, tokens[row, : self._n[row]], bool(done[row]), self._own[row])
            if prediction is not None:
                self._held[row] = None
                yield item.place, prediction

    def _read(self, item: Item, new: np.ndarray, done: bool, own: Deadline) -> Prediction | None:
        """The answer in a row, once it has one."""
        ends = np.flatnonzero(new == self._tokenizer.eos_id)
        ids = (new[: ends[0]] if len(ends) else new).tolist()
        if self._config.stop and (found := self._stopped(ids)):
            return item.prediction(*found, "stop")
        if not done and not own.expired():
            return None
        reason: FinishReason = "eos" if len(ends) else "length" if done else "deadline"
        return item.prediction(self._tokenizer.decode(ids), len(ids), reason)

    def _stopped(self, ids: list[int]) -> tuple[str, int] | None:
        """Text before the first stop string, and the tokens that it took to write both."""

        def starts(text: str) -> list[int]:
            return [at for stop in self._config.stop if (at := text.find(stop)) >= 0]

        text = self._tokenizer.decode(ids)
        if not starts(text):
            return None
        n = next(n for n in range(1, len(ids) + 1) if starts(self._tokenizer.decode(ids[:n])))
        text = self._tokenizer.decode(ids[:n])
        return text[: min(starts(text))], n


def pad_prompts(prompts: Sequence[Sequence[int]], batch_size: int, length: int) -> tuple[Any, Any]:
    """Tokens and segments, each (batch_size, length) int32, padded on the left; rows of nothing up to the size."""
    tokens, segment_ids = np.zeros((2, batch_size, length), np.int32)
    for row, prompt in enumerate(prompts):
        tokens[row, length - len(prompt) :] = prompt
        segment_ids[row, length - len(prompt) :] = 1
    return tokens, segment_ids
