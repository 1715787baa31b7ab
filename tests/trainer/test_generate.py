from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from podium.core.clock import Deadline, FakeClock
from podium.core.config import RunConfig
from trainer.generate import pad_prompts
from trainer.library import ProgramLibrary
from trainer.loss import logits
from trainer.models import build_decoder
from trainer.run import TrainingRun
from trainer.template import prompt_text

PROMPTS = ("1+1=?", "2+3=?", "9+9=?", "0+7=?", "8+1=?", "4+4=?", "a much longer prompt than the others")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, library: ProgramLibrary, config: RunConfig) -> Iterator[TrainingRun]:
    """Trained for long enough to end its answers."""
    longer = config.with_overrides({"train.max_steps": 120, "train.learning_rate": 5e-3})
    trained = TrainingRun(longer, tmp_path_factory.mktemp("generate") / "run", library)
    trained.advance(120, Deadline.after(None))
    yield trained
    trained.close()


def test_predictions_have_the_order_and_ids_of_the_samples(
    run: TrainingRun, make_samples: Callable, forever: Deadline
) -> None:
    samples = make_samples(*PROMPTS)
    predictions = run.predict(samples, forever)
    assert [prediction.id for prediction in predictions] == [sample.id for sample in samples]
    ended = [prediction for prediction in predictions if prediction.finish_reason == "eos"]
    assert ended and all(prediction.text.endswith("</answer>") for prediction in ended)
    for prediction in predictions:
        assert (prediction.n_output_tokens < 16) == (prediction.finish_reason == "eos")


def test_a_prediction_does_not_depend_on_its_batch(run: TrainingRun, make_samples: Callable, forever: Deadline) -> None:
    samples = make_samples(*PROMPTS)
    together = {prediction.id: prediction for prediction in run.predict(samples, forever)}
    backwards = {prediction.id: prediction for prediction in run.predict(samples[::-1], forever)}
    alone = {sample.id: run.predict([sample], forever)[0] for sample in samples}
    assert together == backwards == alone


def test_decoding_with_the_cache_is_the_full_forward_pass(
    run: TrainingRun, library: ProgramLibrary, make_samples: Callable, forever: Deadline
) -> None:
    base = library.base(run.config)
    graphdef, (trainable, frozen) = build_decoder(base, run.config), run._weights
    length = 32

    @jax.jit
    def next_token(ids: jax.Array, n: jax.Array) -> jax.Array:
        places = jnp.arange(length)[None]
        decoder = nnx.merge(graphdef, trainable, frozen)
        hidden, _ = decoder(ids, places, (places < n).astype(jnp.int32), dtype=jnp.float32, lora_alpha=1.0)
        return jnp.argmax(logits(hidden[0, n - 1], decoder.head(), base.arch.final_softcap))

    def by_full_forward(prompt: str) -> str:
        ids, new = base.tokenizer.encode_prompt(prompt_text(prompt)), []
        assert len(ids) <= run.config.generate.max_prompt_tokens
        while len(new) < run.config.generate.max_new_tokens:
            row = np.zeros((1, length), np.int32)
            row[0, : len(ids) + len(new)] = ids + new
            token = int(next_token(row, np.int32(len(ids) + len(new))))
            if token == base.tokenizer.eos_id:
                break
            new.append(token)
        return base.tokenizer.decode(new)

    predictions = run.predict(make_samples(*PROMPTS[:6]), forever)
    assert [prediction.text for prediction in predictions] == [by_full_forward(prompt) for prompt in PROMPTS[:6]]


def test_prompts_that_are_too_long_lose_their_beginning_and_are_counted(
    run: TrainingRun, make_samples: Callable, forever: Deadline
) -> None:
    run.predict(make_samples(*PROMPTS), forever)
    assert run.n_prompts_cut == 1
    run.predict(make_samples(*PROMPTS[:2]), forever)
    assert run.n_prompts_cut == 0


def test_padding_is_on_the_left_and_fills_the_batch() -> None:
    batch = pad_prompts([[5, 6], [1, 2, 3, 4, 5]], batch_size=3, length=4)
    assert batch.tokens.tolist() == [[0, 0, 5, 6], [2, 3, 4, 5], [0, 0, 0, 0]]
    assert batch.segment_ids.tolist() == [[0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]]
    assert batch.lengths.tolist() == [2, 4, 0]


def test_decoding_ends_when_every_row_has_ended(run: TrainingRun, library: ProgramLibrary) -> None:
    program, (trainable, frozen), alpha = library.program(run.config), run._weights, np.float32(16)
    nothing = pad_prompts([], batch_size=4, length=8)
    cache, first = program.prefill(trainable, frozen, alpha, nothing.tokens, nothing.segment_ids)
    written = int(cache.index)
    eos_id = library.base(run.config).tokenizer.eos_id
    tokens, cache = program.decode(trainable, frozen, alpha, cache, first, nothing.lengths)
    assert int(cache.index) == written == 8  # not one turn of the loop
    assert (np.asarray(tokens)[:, 1:] == eos_id).all()


def test_a_deadline_is_looked_at_between_batches(run: TrainingRun, make_samples: Callable) -> None:
    samples = make_samples(*PROMPTS)  # two batches
    clock = FakeClock(tick_s=1.0)
    deadline = Deadline(clock, clock.now(), 1.5)
    assert [prediction.id for prediction in run.predict(samples, deadline)] == ["s-0", "s-1", "s-2", "s-3"]
    assert run.predict(samples, Deadline(clock, clock.now(), 0.5)) == []
    assert run.predict([], Deadline.after(None)) == []


def test_an_untrained_run_can_be_asked(
    tmp_path: Path, library: ProgramLibrary, config: RunConfig, make_samples: Callable, forever: Deadline
) -> None:
    fresh = TrainingRun(config, tmp_path / "fresh", library)
    assert len(fresh.predict(make_samples("1+1=?"), forever)) == 1
    fresh.close()
    assert not (tmp_path / "fresh").exists()
