"""Compares tokens/s of LoRA training with google-tunix's PeftTrainer and with a hand-written JAX loop.

    bench/bin/python -m benchmarks.train_step [--batch 4] [--length 256] [--steps 4] [--rounds 5] [--quick] [--json]

All three start from the same checkpoint: a Gemma 3 with random weights in float32, small enough for a CPU. They train
adapters of rank 16 on every projection with AdamW, on the same full rows of tokens. google-tunix and the hand-written
loop keep all activations for the backward pass. Ours is shown for each `train.remat`; the goals apply to `none`. The
report shows the losses of the first steps, which must agree. Ours is the compiled step of `podium train` with its
clipping, schedule and checks, and fetches its metrics while the next step computes. google-tunix's is
`PeftTrainer.train`. Rounds are interleaved, and a ratio is the median over the rounds. `--quick` runs fewer steps and
rounds. Goals: 1.3 times google-tunix, 0.95 times the hand-written loop.

Our step is also measured on rows as long as GSM8K's, padded to one length, of which about a third is learned: with the
head's work for learned tokens only, as it is, and for every token, as it was. Both sides run the same program.

`python -m benchmarks.accelerator` measures our step on an accelerator.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from benchmarks import handwritten, tunix_gemma3
from benchmarks.gemma3_1b import ALPHA, ARCH, RANK, lora_config, our_program
from benchmarks.report import Report, arguments
from trainer.model.decoder import Decoder
from trainer.model.weights import save_weights
from trainer.programs.compiler import CompileRequest
from trainer.programs.training import TrainingProgram
from trainer.step.optimizer import hyperparameters

SMALL = replace(
    ARCH,
    **{"vocab_size": 16384, "hidden_size": 384, "mlp_size": 1536, "heads": 4, "kv_heads": 1, "head_dim": 64},
    **{"windows": (128,) * 5 + (0,), "attention_scale": 64**-0.5, "embedding_scale": 384**0.5},
)
RATE = 1e-3
QUESTION, ANSWER = (66, 25), (129, 57)  # mean and standard deviation of GSM8K's lengths, in tokens
GSM8K_LENGTH = 384  # of a padded row
TINIEST = 1e-12
Rows = dict[str, np.ndarray]  # the inputs of our step, each field (1, batch, seq)
Engine = Callable[[Sequence[np.ndarray]], list[float]]  # trains one step per batch (batch, seq); returns the losses


def compile_(_: Any, request: CompileRequest) -> Any:
    return jax.jit(request.function, donate_argnums=request.donate).lower(*request.arguments).compile()


def rows(tokens: np.ndarray) -> Rows:
    """Full rows. The last token has no target."""
    weights = np.ones(tokens.shape, np.float32)
    weights[:, -1] = 0.0
    return _fields(tokens, weights, np.ones_like(tokens))


def gsm8k_rows(tokens: np.ndarray, chance: np.random.Generator) -> tuple[Rows, Rows]:
    """Rows as long as GSM8K's, padded to the length of `tokens`; the second with the head's work for every token.

    In the second, a token that is not learned has a weight too small to change the loss, but not 0.
    """
    batch, length = tokens.shape
    questions = np.clip(chance.normal(*QUESTION, batch), 8, length // 2).astype(int)[:, None]
    ends = questions + np.clip(chance.normal(*ANSWER, batch), 8, length // 2).astype(int)[:, None]
    places = np.arange(length)
    segments = (places < ends).astype(np.int32)
    is_learned = (places >= questions - 1) & (places < ends - 1)  # a token's target is the next one
    kinds = (np.where(is_learned, 1.0, unlearned).astype(np.float32) for unlearned in (0.0, TINIEST))
    learned, every = (_fields(tokens * segments, weights, segments) for weights in kinds)
    return learned, every


def _fields(tokens: np.ndarray, weights: np.ndarray, segments: np.ndarray) -> Rows:
    positions = np.broadcast_to(np.arange(tokens.shape[1], dtype=np.int32), tokens.shape)
    fields = {"tokens": tokens, "targets": np.roll(tokens, -1, axis=1), "weights": weights, "positions": positions}
    return {name: value[None] for name, value in {**fields, "segment_ids": segments}.items()}


class Ours:
    """The step of `podium train`. It has its own state: trainable, frozen, opt_state."""

    def __init__(self, program: TrainingProgram) -> None:
        self._step = program.step
        self._hp = hyperparameters(program.config.with_overrides({"train.learning_rate": RATE}))
        self.state = program.init(0)

    def __call__(self, batches: Sequence[np.ndarray]) -> list[float]:
        return self.train([rows(tokens) for tokens in batches])

    def train(self, batches: Sequence[Rows]) -> list[float]:
        losses, launched = [], None
        for number, batch in enumerate(batches):
            trainable, frozen, opt_state = self.state
            trainable, opt_state, metrics = self._step(trainable, opt_state, frozen, batch, self._hp, np.int32(number))
            self.state = trainable, frozen, opt_state
            if launched is not None:
                losses.append(float(jax.device_get(launched)["loss"]))
            launched = metrics
        return [*losses, float(jax.device_get(launched)["loss"])]


def by_hand(params: nnx.State) -> Engine:
    base = handwritten.unstacked(params, SMALL.layers)
    adapters, optimizer = handwritten.new_adapters(base, RANK, jax.random.key(0)), optax.adamw(RATE)
    step, state = handwritten.make_step(SMALL, optimizer, ALPHA / RANK), [adapters, optimizer.init(adapters)]

    def train(batches: Sequence[np.ndarray]) -> list[float]:
        losses = []
        for tokens in batches:
            *state[:], loss = step(*state, base, tokens)
            losses.append(loss)
        return [float(loss) for loss in losses]

    return train


def tunix(folder: Path) -> Engine:
    from tunix.sft.peft_trainer import PeftTrainer, TrainingConfig, TrainingInput

    losses: list[float] = []

    class Losses:
        """A training hook of google-tunix. It gets each loss during the next step, the last one at the next call."""

        def on_train_step_end(self, _: Any, __: int, loss: float) -> None:
            losses.append(float(loss))

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_: None

    model = tunix_gemma3.with_adapters(tunix_gemma3.load(folder, SMALL, "float32"), RANK, ALPHA)
    trainer = PeftTrainer(model, optax.adamw(RATE), TrainingConfig(eval_every_n_steps=10**9))
    trainer.is_managed_externally = True  # so that it stays open between rounds
    trainer.with_training_hooks(Losses())

    def inputs(given: TrainingInput) -> dict[str, Any]:
        batch, length = given.input_tokens.shape
        positions = jnp.broadcast_to(jnp.arange(length), (batch, length))
        causal = jnp.broadcast_to(jnp.tril(jnp.ones((length, length), bool)), (batch, length, length))
        return {
            "input_tokens": given.input_tokens,
            "input_mask": given.input_mask,
            "positions": positions,
            "attention_mask": causal,
        }

    trainer.with_gen_model_input_fn(inputs)

    def train(batches: Sequence[np.ndarray]) -> list[float]:
        losses.clear()
        trainer.train([TrainingInput(input_tokens=tokens, input_mask=np.ones_like(tokens)) for tokens in batches])
        return list(losses)

    return train


def measure(engines: dict[str, Engine], batches: Sequence[np.ndarray], rounds: int) -> dict[str, list[float]]:
    """Seconds per engine and round."""
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, engine in engines.items():
            started_s = time.perf_counter()
            engine(batches)
            seconds[name].append(time.perf_counter() - started_s)
    return seconds


def compare(report: Report, options: Any) -> None:
    """Compare the three engines on the small model."""
    steps, rounds = (2, 2) if options.quick else (options.steps, options.rounds)
    tokens = np.random.default_rng(0).integers(3, SMALL.vocab_size, (steps, options.batch, options.length), np.int32)
    params = nnx.state(Decoder(SMALL, nnx.Rngs(0), jnp.float32), nnx.Param)
    shapes = options.batch, options.length
    engines: dict[str, Engine] = {}
    for remat in ("none", "dots", "full"):
        program = our_program(SMALL, lora_config(*shapes, "float32", remat), params, compile_)
        engines[f"podium, remat {remat}"] = Ours(program)
    engines["hand-written"] = by_hand(params)
    with tempfile.TemporaryDirectory(prefix="podium-bench-") as folder:
        save_weights(Path(folder), SMALL, params)
        if missing := tunix_gemma3.tunix_missing():
            report.figure("google-tunix", missing)
        else:
            engines["google-tunix"] = tunix(Path(folder))
    size = sum(leaf.size for leaf in jax.tree.leaves(params)) / 1e6
    report.figure("model", f"Gemma 3 with {size:.0f} M parameters, {options.batch} x {options.length} tokens, float32")
    for name, engine in engines.items():
        report.figure(f"first loss, {name}", engine(tokens)[0])  # this compiles, too
    seconds = measure(engines, tokens, rounds)
    for name, found in seconds.items():
        report.figure(name, tokens.size / statistics.median(found), "tokens/s")
    for name, goal in (("google-tunix", ">= 1.3"), ("hand-written", ">= 0.95")):
        ratios = [b / a for a, b in zip(seconds["podium, remat none"], seconds.get(name, ()), strict=False)]
        report.goal(f"podium over {name}", statistics.median(ratios) if ratios else None, goal, "times")


def compare_heads(report: Report, options: Any) -> None:
    """Our step on rows like GSM8K's, with the head's work for learned tokens and for every token, in turn."""
    steps, rounds = (2, 2) if options.quick else (options.steps, options.rounds)
    chance, shapes = np.random.default_rng(0), (options.batch, GSM8K_LENGTH)
    params = nnx.state(Decoder(SMALL, nnx.Rngs(0), jnp.float32), nnx.Param)
    pairs = [gsm8k_rows(chance.integers(3, SMALL.vocab_size, shapes, np.int32), chance) for _ in range(steps)]
    program = our_program(SMALL, lora_config(*shapes, "float32", "none"), params, compile_)
    engines = {name: Ours(program) for name in ("learned tokens", "every token")}
    batches = dict(zip(engines, zip(*pairs, strict=True), strict=True))
    first = {name: engine.train(batches[name]) for name, engine in engines.items()}
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    cpu_s: dict[str, list[float]] = {name: [] for name in engines}  # depends less on other load
    for _ in range(rounds):
        for name, engine in engines.items():
            started_s, started_cpu_s = time.perf_counter(), time.process_time()
            engine.train(batches[name])
            seconds[name].append(time.perf_counter() - started_s)
            cpu_s[name].append(time.process_time() - started_cpu_s)
    learned, used = (sum(f(rows) for rows, _ in pairs) for f in (_n_learned, lambda rows: rows["segment_ids"].sum()))
    what = f"GSM8K-shaped rows, {options.batch} x {GSM8K_LENGTH}"
    report.figure(f"{what}: learned, of the tokens", 100 * learned / used, "%")
    report.figure(f"{what}: learned, of the places", 100 * learned / (steps * options.batch * GSM8K_LENGTH), "%")
    for name, found in seconds.items():
        report.figure(f"{what}: head for {name}", used / statistics.median(found), "tokens/s without padding")
    for unit, times in (("seconds", seconds), ("CPU seconds", cpu_s)):
        ratios = [every / only for only, every in zip(*times.values(), strict=True)]
        report.figure(f"{what}: every token over learned tokens, {unit}", statistics.median(ratios), "times")
    gaps = [abs(a - b) / abs(b) for a, b in zip(*first.values(), strict=True)]
    report.goal(f"{what}: largest difference of a loss", max(gaps), "< 0.00001", "of the loss")


def _n_learned(rows: Rows) -> int:
    return int((rows["weights"] > 0).sum())


def main() -> None:
    options = arguments(__doc__, batch=4, length=256, steps=4, rounds=5, quick=False)
    report = Report("train_step")
    compare(report, options)
    compare_heads(report, options)
    report.print(options.json)


if __name__ == "__main__":
    main()
