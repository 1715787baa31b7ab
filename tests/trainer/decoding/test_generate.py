import json
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from podium.core.clock import Deadline, FakeClock
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from tests.trainer.encoding import completion_ids, prompt_ids
from trainer.data.layouts import prompt_text
from trainer.decoding.generate import _Rows, pad_prompts, prompt_buckets
from trainer.export import save_hf
from trainer.model.base_model import build_decoder
from trainer.programs.library import ProgramLibrary
from trainer.run.training_run import TrainingRun
from trainer.step.loss import logits

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
        ids, new = prompt_ids(base.tokenizer, prompt_text(prompt)), []
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


def test_decoding_from_the_stack_writes_the_same(
    run: TrainingRun, make_samples: Callable, forever: Deadline, tmp_path: Path
) -> None:
    """As an accelerator does it, which has no memory to spare for copies of the weights."""
    other = TrainingRun(run.config, tmp_path / "run", ProgramLibrary())
    other.restore(run.save())
    other._decoding.makes_copies = False  # before anything of it is compiled
    assert run._decoding.memory.copies > 0 == other._decoding.memory.copies
    assert other.predict(make_samples(*PROMPTS), forever) == run.predict(make_samples(*PROMPTS), forever)
    other.close()


def test_prompts_that_are_too_long_lose_their_beginning_and_are_counted(
    run: TrainingRun, make_samples: Callable, forever: Deadline
) -> None:
    run.predict(make_samples(*PROMPTS), forever)
    assert run.n_prompts_cut == 1
    run.predict(make_samples(*PROMPTS[:2]), forever)
    assert run.n_prompts_cut == 0


def test_padding_is_on_the_left_and_fills_the_batch() -> None:
    tokens, segment_ids = pad_prompts([[5, 6], [2, 3, 4, 5]], batch_size=3, length=4)
    assert tokens.tolist() == [[0, 0, 5, 6], [2, 3, 4, 5], [0, 0, 0, 0]]
    assert segment_ids.tolist() == [[0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]]


def test_prompts_have_a_few_lengths_to_be_padded_to() -> None:
    assert prompt_buckets(24) == [24]
    assert prompt_buckets(64) == [32, 48, 64]
    assert prompt_buckets(512) == [128, 256, 384, 512]


def asked(run: TrainingRun, samples: list, clock: FakeClock | None = None, **generate: object) -> list:
    """What the trained run answers with other settings of `generate` that compile nothing."""
    changed = run.config.with_overrides({f"generate.{name}": value for name, value in generate.items()})
    other = TrainingRun(changed, run.out, run.library)
    other._weights = run._weights
    return other.predict(samples, Deadline.after(None, clock=clock))


WARM = {"temperature": 1.0, "num_samples": 3}


def test_samples_follow_from_seed_and_item_whatever_the_batch(
    run: TrainingRun, library: ProgramLibrary, make_samples: Callable
) -> None:
    samples, compiles = make_samples(*PROMPTS), dict(library.compiles)
    together = asked(run, samples, **WARM)
    assert [(found.id, found.sample) for found in together] == [(s.id, n) for s in samples for n in range(3)]
    assert asked(run, samples, **WARM) == together
    backwards = asked(run, samples[::-1], **WARM)
    assert sorted(backwards, key=lambda found: (found.id, found.sample)) == together
    alone = [found for sample in samples for found in asked(run, [sample], **WARM)]
    assert alone == together
    assert asked(run, samples, **WARM, seed=1) != together
    assert any(together[n].text != together[n + 1].text for n in range(0, len(together), 3))
    assert dict(library.compiles) == compiles, "a traced setting compiled something"


def test_the_likeliest_token_alone_is_greedy(run: TrainingRun, make_samples: Callable, forever: Deadline) -> None:
    samples = make_samples(*PROMPTS)
    greedy = run.predict(samples, forever)
    assert asked(run, samples, temperature=1.0, top_k=1) == greedy
    assert asked(run, samples, temperature=1.0, top_p=1e-6) == greedy
    assert asked(run, samples, temperature=1e-4) == greedy
    assert asked(run, samples, temperature=3.0) != greedy


def test_an_answer_ends_before_a_stop_string(run: TrainingRun, make_samples: Callable, forever: Deadline) -> None:
    samples = make_samples(*PROMPTS)
    whole = run.predict(samples, forever)
    for found, free in zip(asked(run, samples, stop=["</answer>", "<answer>"]), whole, strict=True):
        before, stop, _ = free.text.partition("<answer>")
        assert (found.text, found.finish_reason) == (before, "stop" if stop else free.finish_reason)
        assert found.n_output_tokens <= free.n_output_tokens
    assert any(found.finish_reason == "stop" for found in asked(run, samples, stop=["<answer>"]))
    assert asked(run, samples, stop=["never written"]) == whole


def test_a_row_that_has_ended_goes_to_the_next_prompt(
    run: TrainingRun, make_samples: Callable, forever: Deadline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve prompts in four rows take fewer tokens a row than three batches of the longest answer would."""
    program, states = run._decoding, []
    admit_of = program.admit_of

    def noting(length: int) -> Callable:
        def admit(*inputs: object) -> object:
            states.append(np.asarray(inputs[3].done))
            return admit_of(length)(*inputs)

        return admit

    monkeypatch.setattr(program, "admit_of", noting)
    assert len(run.predict(make_samples(*PROMPTS[:6], *PROMPTS[:6]), forever)) == 12
    assert any(0 < done.sum() < 4 for done in states[4:]), "no prompt came in while others were being answered"


def test_every_row_is_used_where_prompts_wait(
    tmp_path: Path,
    library: ProgramLibrary,
    config: RunConfig,
    make_samples: Callable,
    forever: Deadline,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nine rows take prompts two by two, and the ninth is not left empty for want of a tenth."""
    fresh = TrainingRun(config.with_overrides({"generate.batch_size": 9}), tmp_path / "nine", library)
    decode, n_idle = fresh._decoding.decode, []

    def noting(*inputs: object) -> object:
        n_idle.append(int(inputs[5].sum()))
        return decode(*inputs)

    monkeypatch.setattr(type(fresh._decoding), "decode", property(lambda _: noting))
    assert len(fresh.predict(make_samples(*PROMPTS, *PROMPTS), forever)) == 14
    assert n_idle[0] == 0
    fresh.close()


@pytest.fixture
def clock(run: TrainingRun, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """It moves by a second for every token that the rows go on together."""
    clock, decode = FakeClock(), run._decoding.decode

    def timed(*inputs: object) -> object:
        n_before = np.array(inputs[4].n)
        slots = decode(*inputs)
        clock.advance(float((np.array(slots.n) - n_before).max()))
        return slots

    monkeypatch.setattr(type(run._decoding), "decode", property(lambda _: timed))
    return clock


def test_a_deadline_is_kept_to_the_token(run: TrainingRun, make_samples: Callable, clock: FakeClock) -> None:
    samples = make_samples(*PROMPTS, *PROMPTS)
    started_s = clock.now()
    some = run.predict(samples, Deadline.after(20.0, clock=clock))
    assert 0 < len(some) < len(samples), "what there was no time for has no prediction"
    assert clock.now() - started_s == 20.0
    assert run.predict(samples, Deadline.after(0.5, reserve_s=0.5, clock=clock)) == []
    assert run.predict([], Deadline.after(None)) == []


def test_an_answer_whose_own_time_is_up_ends_and_is_kept(
    run: TrainingRun, make_samples: Callable, clock: FakeClock, library: ProgramLibrary
) -> None:
    samples, compiles = make_samples(*PROMPTS, *PROMPTS), dict(library.compiles)
    whole = {found.id: found for found in asked(run, samples)}
    cut = asked(run, samples, clock, item_time_budget_s=6.0)
    assert [found.id for found in cut] == [sample.id for sample in samples], "others had their turn"
    assert dict(library.compiles) == compiles
    for found in cut:
        full = whole[found.id]
        if full.n_output_tokens < 7:
            assert found == full
        else:  # one token comes with the prompt, before the time begins
            assert (found.finish_reason, found.n_output_tokens) == ("deadline", 7)
            assert full.text.startswith(found.text) and found.text
    assert asked(run, samples, clock, item_time_budget_s=1000.0) == list(whole.values())


def test_the_same_answer_many_times_is_refused(config: RunConfig) -> None:
    with pytest.raises(UsageError, match=r"generate.num_samples=2 with generate.temperature=0 gives the same answer 2"):
        config.with_overrides({"generate.num_samples": 2})


def test_an_untrained_run_can_be_asked(
    tmp_path: Path, library: ProgramLibrary, config: RunConfig, make_samples: Callable, forever: Deadline
) -> None:
    fresh = TrainingRun(config, tmp_path / "fresh", library)
    assert len(fresh.predict(make_samples("1+1=?"), forever)) == 1
    fresh.close()
    assert not (tmp_path / "fresh").exists()


def test_an_answer_ends_at_every_token_that_generation_config_names(
    run: TrainingRun, make_samples: Callable, forever: Deadline, tmp_path: Path
) -> None:
    """With another end token in generation_config.json, each answer is the old one up to that token."""
    samples = make_samples(*PROMPTS)
    before = run.predict(samples, forever)
    tokenizer = run.library.base(run.config).tokenizer
    end = completion_ids(tokenizer, "=")[0]
    source = tmp_path / "model"
    trainable, frozen = run._weights
    save_hf(source, run.library.base(run.config), trainable, frozen, run.config.lora)
    answers = {}
    for ids in ([2], [end, 2]):
        (source / "generation_config.json").write_text(json.dumps({"eos_token_id": ids}))
        config = run.config.with_overrides({"model.source": str(source)})
        other = TrainingRun(config, tmp_path / "run", ProgramLibrary())
        answers[len(ids)] = other.predict(samples, forever)
        other.close()
    assert answers[1] == before
    assert any("=" in found.text for found in before)
    for ended, whole in zip(answers[2], before, strict=True):
        assert ended.text == whole.text.partition("=")[0]
        assert ended.finish_reason == ("eos" if "=" in whole.text else whole.finish_reason)


def test_a_special_token_can_be_a_stop_string(run: TrainingRun, make_samples: Callable) -> None:
    samples = make_samples(*PROMPTS[:1])
    tokenizer = run.library.base(run.config).tokenizer
    rows = _Rows([], tokenizer, run.config.generate.model_copy(update={"stop": ("<bos>\n", "zz")}), None, None)
    text = tokenizer.encode(["1+1=2"])[0]
    new_line, bos = tokenizer.encode(["\n"])[0], tokenizer.bos_id
    assert rows._stopped([*text, bos]) is None
    assert rows._stopped([*text, bos, *new_line, *text]) == ("1+1=2", len(text) + 1 + len(new_line))
    assert rows._stopped([bos, *text, bos, *new_line]) == ("1+1=2", len(text) + 2 + len(new_line))
    assert asked(run, samples, stop=["<bos>"]) == asked(run, samples)
