"""Decoding by itself: rows, their rings, and what they say against the full forward pass."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from podium.core.config import RunConfig
from tests.trainer.model.test_decoder import ARCH, WINDOW, run, split
from trainer.decoding.generate import pad_prompts
from trainer.decoding.slots import Decoding, Slots
from trainer.step.loss import logits
from trainer.step.optimizer import hyperparameters

LONGEST, NEW, ROWS = 10, 7, 3
PROMPTS = ([5, 6], [7, 8, 9, 10, 11, 12, 13, 14, 15, 16], [20, 21, 22, 23, 24])
CONFIG = RunConfig().with_overrides(
    {"generate.batch_size": ROWS, "generate.max_prompt_tokens": LONGEST, "generate.max_new_tokens": NEW}
)
GRAPH, STATE = split(ARCH)
FROZEN, HP = nnx.State({}), jax.tree.map(jnp.asarray, hyperparameters(CONFIG))
DECODING = Decoding(GRAPH, ARCH, CONFIG, jnp.float32, end_ids=(-1,))
ADMIT, DECODE = jax.jit(DECODING.admit), jax.jit(DECODING.decode)


def admit(slots: Slots, prompts: Sequence[list[int]], rows: Sequence[int], length: int) -> Slots:
    tokens, segment_ids = pad_prompts(prompts, len(prompts), length)
    keys = np.zeros((len(prompts), 2), np.uint32)
    return ADMIT(STATE, FROZEN, HP, slots, tokens, segment_ids, keys, np.array(rows, np.int32))


def decode(slots: Slots, copies: Any = None) -> Slots:
    return DECODE(STATE, FROZEN, copies, HP, slots, np.zeros(ROWS, bool), np.int32(ROWS), np.int32(NEW))


@cache
def by_full_forward(prompt: tuple[int, ...]) -> list[int]:
    """The likeliest tokens, each from the whole of what comes before it."""
    ids, length = list(prompt), LONGEST + NEW
    head = nnx.merge(GRAPH, STATE).head()
    while len(ids) < len(prompt) + NEW:
        row = np.zeros((1, length), np.int32)
        row[0, : len(ids)] = ids
        places = np.arange(length, dtype=np.int32)[None]
        hidden = np.asarray(run(ARCH, row, places, (places < len(ids)).astype(np.int32)))
        ids.append(int(np.argmax(logits(hidden[0, len(ids) - 1], head, None))))
    return ids[len(prompt) :]


@pytest.mark.parametrize("copied", [True, False], ids=["from copies", "from the stack"])
def test_rows_say_what_the_full_forward_pass_does(copied: bool) -> None:
    """Prompts shorter and longer than the window, and answers that go on beyond it."""
    assert len(PROMPTS[0]) < WINDOW < len(PROMPTS[2]) < len(PROMPTS[1]) and NEW > WINDOW
    slots = admit(DECODING.empty(STATE, FROZEN), PROMPTS, range(ROWS), LONGEST)
    slots = decode(slots, DECODING.copies(STATE, FROZEN) if copied else None)
    assert slots.tokens.tolist() == [by_full_forward(tuple(prompt)) for prompt in PROMPTS]
    assert len({tuple(tokens) for tokens in slots.tokens.tolist()}) == len(PROMPTS)


@pytest.mark.parametrize("length", [2, WINDOW, 7])
def test_a_row_that_was_used_before_knows_nothing_of_it(length: int) -> None:
    """Whatever length its prompt is padded to: a ring begins anywhere."""
    slots = decode(admit(DECODING.empty(STATE, FROZEN), PROMPTS, range(ROWS), LONGEST))
    slots = decode(admit(slots, [PROMPTS[0]], [1], length))
    assert slots.tokens[1].tolist() == by_full_forward(tuple(PROMPTS[0]))
    assert slots.tokens[2].tolist() == by_full_forward(tuple(PROMPTS[2]))
