"""Generates answers. Prompts wait for a free row of the device; when an answer ends, the next prompt takes its row."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from podium.core.clock import Clock, Deadline
from podium.core.progress import doing
from podium.core.records import FinishReason, Prediction, Prompt
from podium.core.resolved import ResolvedGenerate
from trainer.data.template import Template
from trainer.data.tokenizer import Tokenizer
from trainer.decoding.sampling import item_key
from trainer.decoding.slots import Slots

BURST = 32  # tokens per row, at most, between two checks of deadlines and stop strings
SHORTEST_BUCKET = 32
HOST = 1.5  # the host takes time, too: to read answers and to keep them. On a CPU, 0.3 of the device's time.


@dataclass(frozen=True)
class DecodingFunctions:
    """The compiled functions of trainer/decoding/slots.py, with parameters and hyperparameters filled in, and the ids
    that end an answer there."""

    empty: Callable[[], Slots]
    admit: Callable[..., Slots]  # slots, tokens, segment_ids, keys, rows
    decode: Callable[..., Slots]  # slots, idle, n_free, most
    end_ids: Sequence[int]


@dataclass(frozen=True)
class Pace:
    """How long it takes to admit a group of prompts, and to generate a token in every row."""

    admit_s: float
    token_s: float

    def longest_s(self, n_answers: int, config: ResolvedGenerate) -> float:
        """The time for `n_answers` if every answer has generate.max_new_tokens."""
        n_groups, n_rounds = -(-n_answers // n_admitted(config.batch_size)), -(-n_answers // config.batch_size)
        return HOST * (n_groups * self.admit_s + n_rounds * config.max_new_tokens * self.token_s)


AnswerKey = tuple[str, int]  # the id of the item, and which of its answers


@dataclass(frozen=True)
class Item:
    """One of the answers to generate for a prompt."""

    index: int  # in the order of the answers
    id: str
    sample: int
    prompt: list[int]
    bucket: int

    @property
    def key(self) -> AnswerKey:
        return self.id, self.sample

    def prediction(self, text: str, n: int, reason: FinishReason) -> Prediction:
        return Prediction(id=self.id, sample=self.sample, text=text, n_output_tokens=n, finish_reason=reason)


def prompt_buckets(longest: int) -> list[int]:
    """Lengths that prompts are padded to, ascending: quarters of the longest, from SHORTEST_BUCKET tokens."""
    return [length for length in (longest * n // 4 for n in (1, 2, 3)) if length >= SHORTEST_BUCKET] + [longest]


def n_admitted(batch_size: int) -> int:
    """The number of prompts admitted together: a twelfth of the rows, so that few rows idle and few are padding."""
    return -(-batch_size // 12)


def generate(
    samples: Sequence[Prompt],
    tokenizer: Tokenizer,
    template: Template,
    config: ResolvedGenerate,
    functions: DecodingFunctions,
    deadline: Deadline,
    known: Mapping[AnswerKey, Prediction] | None = None,
    on_answers: Callable[[Sequence[Prediction]], None] = lambda _: None,
) -> tuple[list[Prediction], int]:
    """`config.num_samples` answers to each prompt, in the order of the samples, and the number of prompts cut.

    A prompt that is too long loses its beginning. An answer that `deadline` leaves no time for is left out. An answer
    that takes longer than `config.item_time_budget_s` ends there. The random numbers depend on the seed, the sample's
    id and the number of the answer, not on what else is decoded. Answers in `known` are taken from there. `on_answers`
    gets the others, those that ended together in one call.
    """
    items, n_cut = _items(samples, template, config)
    answers = {item.index: known[item.key] for item in items if item.key in known} if known else {}
    rows = _Rows([item for item in items if item.index not in answers], tokenizer, config, functions, deadline)
    with doing("answering", len(answers), len(items), deadline.remaining_s()) as advance:
        for ended in rows.answers():
            on_answers([prediction for _, prediction in ended])
            answers |= dict(ended)
            advance(len(answers))
    return [answers[item.index] for item in items if item.index in answers], n_cut


def measure_pace(
    samples: Sequence[Prompt],
    tokenizer: Tokenizer,
    template: Template,
    config: ResolvedGenerate,
    functions: DecodingFunctions,
    clock: Clock,
) -> Pace:
    """Compile what answering `samples` needs, generate the first tokens of a few answers, and measure the pace."""
    one_of_each = {item.bucket: item for item in _items(samples, template, config)[0]}
    forever = Deadline.after(None, clock=clock)
    longest = one_of_each[max(one_of_each)]
    paces = [
        _Rows([item], tokenizer, config, functions, forever).first_tokens() for item in (*one_of_each.values(), longest)
    ]
    return paces[-1]  # of the longest prompt, and without compilation


def _items(samples: Sequence[Prompt], template: Template, config: ResolvedGenerate) -> tuple[list[Item], int]:
    buckets = prompt_buckets(config.max_prompt_tokens)
    items: list[Item] = []
    n_cut = 0
    for sample, ids in zip(samples, template.prompts(samples), strict=True):
        n_cut += len(ids) > buckets[-1]
        kept = ids[-buckets[-1] :]
        bucket = next(length for length in buckets if len(kept) <= length)
        items += [Item(len(items) + n, sample.id, n, kept, bucket) for n in range(config.num_samples)]
    return items, n_cut


class _Rows:
    """Assigns items to the rows of the device."""

    def __init__(
        self,
        items: Sequence[Item],
        tokenizer: Tokenizer,
        config: ResolvedGenerate,
        functions: DecodingFunctions,
        deadline: Deadline,
    ) -> None:
        self._tokenizer, self._config, self._functions, self._deadline = tokenizer, config, functions, deadline
        self._waiting = deque(items)
        self._items: list[Item | None] = [None] * config.batch_size
        self._deadlines = [deadline] * config.batch_size  # each row's deadline
        self._n = np.zeros(config.batch_size, np.int32)  # tokens in each row
        self._token_s: float | None = None  # seconds per token, of the newest ones
        self._group = n_admitted(config.batch_size)

    def answers(self) -> Iterator[list[tuple[int, Prediction]]]:
        """(index, prediction) of the items that ended together, until all have ended or the deadline has passed."""
        if not self._waiting:
            return
        slots = self._functions.empty()
        while (self._waiting or any(self._items)) and not self._deadline.expired():
            if self._n_free() >= min(self._group, len(self._waiting)):
                while self._waiting and self._n_free():  # an idle row costs more than a partly filled group
                    slots = self._admit(slots)
            slots = self._decode(slots)
            if ended := list(self._ended(slots)):
                yield ended

    def first_tokens(self) -> Pace:
        """Admit the waiting items and generate their first tokens."""
        clock, slots = self._deadline.clock, self._functions.empty()
        started_s = clock.now()
        slots = self._admit(slots)
        np.asarray(slots.n)  # waits for the device
        admit_s = clock.now() - started_s
        self._decode(slots)
        return Pace(admit_s, self._token_s or admit_s)

    def _decode(self, slots: Slots) -> Slots:
        """Generate until enough rows are free for waiting prompts, or until the deadlines must be checked."""
        idle = np.array([item is None for item in self._items])
        n_free = self._group if self._waiting else len(self._items)
        started_s, n_before = self._deadline.clock.now(), self._n
        slots = self._functions.decode(slots, idle, np.int32(n_free), np.int32(self._burst()))
        self._n = np.array(slots.n)
        if n_new := int((self._n - n_before).max()):
            self._token_s = (self._deadline.clock.now() - started_s) / n_new
        return slots

    def _burst(self) -> int:
        """The tokens that the nearest deadline has time for, estimated from the time of the newest tokens."""
        nearest_s = min(own.remaining_s() for own, item in zip(self._deadlines, self._items, strict=True) if item)
        left_s = min(nearest_s, self._deadline.remaining_s())
        if left_s == float("inf"):
            return BURST
        if self._token_s is None:
            return 1
        return BURST if left_s >= BURST * self._token_s else max(1, int(left_s / self._token_s))

    def _n_free(self) -> int:
        return self._items.count(None)

    def _admit(self, slots: Slots) -> Slots:
        """Admit the next items of one bucket, so that an item's bucket does not depend on other items."""
        bucket = self._waiting[0].bucket
        most = min(self._group, self._n_free())
        chosen = [item for item in self._waiting if item.bucket == bucket][:most]
        taken = {item.index for item in chosen}
        self._waiting = deque(item for item in self._waiting if item.index not in taken)
        rows = np.full(self._group, len(self._items), np.int32)  # beyond the last row: padding
        rows[: len(chosen)] = [row for row, item in enumerate(self._items) if item is None][: len(chosen)]
        keys = np.zeros((self._group, 2), np.uint32)
        for number, item in enumerate(chosen):
            self._items[rows[number]] = item
            keys[number] = item_key(self._config.seed, item.id, item.sample)
        tokens, segment_ids = pad_prompts([item.prompt for item in chosen], self._group, bucket)
        slots = self._functions.admit(slots, tokens, segment_ids, keys, rows)
        for row in rows[: len(chosen)]:
            self._n[row], self._deadlines[row] = (
                1,
                Deadline.after(self._config.item_time_budget_s, clock=self._deadline.clock),
            )
        return slots

    def _ended(self, slots: Slots) -> Iterator[tuple[int, Prediction]]:
        tokens, done = np.asarray(slots.tokens), np.asarray(slots.done)
        for row, item in enumerate(self._items):
            if item is None:
                continue
            prediction = self._read(item, tokens[row, : self._n[row]], bool(done[row]), self._deadlines[row])
            if prediction is not None:
                self._items[row] = None
                yield item.index, prediction

    def _read(self, item: Item, new: np.ndarray, done: bool, own: Deadline) -> Prediction | None:
        """The answer in a row, or None if it has not ended."""
        ends = np.flatnonzero(np.isin(new, self._functions.end_ids))
        ids = (new[: ends[0]] if len(ends) else new).tolist()
        if self._config.stop and (found := self._stopped(ids)):
            return item.prediction(*found, "stop")
        if not done and not own.expired():
            return None
        reason: FinishReason = "eos" if len(ends) else "length" if done else "deadline"
        return item.prediction(self._tokenizer.decode(ids), len(ids), reason)

    def _stopped(self, ids: list[int]) -> tuple[str, int] | None:
        """The text before the first stop string, and the number of tokens up to its end; None without a stop string.

        A stop string may contain special tokens, such as <|im_end|>, which the text of an answer does not.
        """
        if self._before_stop(ids) is None:
            return None
        n = next(n for n in range(1, len(ids) + 1) if self._before_stop(ids[:n]) is not None)
        return self._before_stop(ids[:n]) or "", n

    def _before_stop(self, ids: Sequence[int]) -> str | None:
        for special in (False, True):
            text = self._tokenizer.decode(ids, special=special)
            if starts := [at for stop in self._config.stop if (at := text.find(stop)) >= 0]:
                before = text[: min(starts)]
                return self._tokenizer.without_special(before) if special else before
        return None


def pad_prompts(prompts: Sequence[Sequence[int]], batch_size: int, length: int) -> tuple[Any, Any]:
    """Tokens and segment ids, each (batch_size, length) int32, padded on the left; missing rows are padding."""
    tokens, segment_ids = np.zeros((2, batch_size, length), np.int32)
    for row, prompt in enumerate(prompts):
        tokens[row, length - len(prompt) :] = prompt
        segment_ids[row, length - len(prompt) :] = 1
    return tokens, segment_ids
