from pathlib import Path

import jax
import numpy as np
import pytest

from podium.core.config import RunConfig
from podium.core.records import ReasoningTrace
from trainer.data.trainsets import write_trainset
from trainer.programs.library import ProgramLibrary
from trainer.step.loss_scale import GROW_AFTER, SMALLEST, LossScale
from trainer.step.optimizer import hyperparameters


def one_step(library: ProgramLibrary, config: RunConfig, **changed: np.ndarray) -> tuple:
    """(trainable, metrics) after step 0 from the seed's parameters."""
    program, trainset = library.training_program(config), library.trainset(config)
    trainable, frozen, opt_state = program.init(config.train.seed)
    batch = trainset.batch(0, 0, config.train.gradient_accumulation_steps, config.train.batch_size)
    hp = {**hyperparameters(config), **changed}
    trainable, _, metrics = program.step(trainable, opt_state, frozen, batch, hp, np.int32(0))
    return jax.device_get(trainable), jax.device_get(metrics)


def leaves(tree: object) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def test_two_times_two_is_one_times_four(library: ProgramLibrary, config: RunConfig) -> None:
    split = config.with_overrides({"train.gradient_accumulation_steps": 2, "train.batch_size": 2})
    whole, whole_metrics = one_step(library, config)
    parts, parts_metrics = one_step(library, split)
    for name in ("loss", "grad_norm", "n_tokens", "learning_rate"):
        assert parts_metrics[name] == pytest.approx(whole_metrics[name], rel=1e-5)
    # AdamW's first step is nearly the sign of the gradient: only where that is all rounding can the two differ.
    differences = np.concatenate([np.abs(a - b).ravel() for a, b in zip(leaves(whole), leaves(parts), strict=True)])
    assert np.quantile(differences, 0.999) < 1e-5


def test_packed_loss_is_the_unpacked_one(library: ProgramLibrary, trainset: Path, config: RunConfig) -> None:
    """All of a trainset in one step, a row each and packed."""
    four = trainset.parent / "four"
    traces = [ReasoningTrace(prompt=f"{n}+1=?", final_answer="8" * n) for n in (1, 3, 5, 8)]
    write_trainset(four, traces, name="four", recipe="test", recipe_version="1", seed=None)
    apart = config.with_overrides({"data.trainset": str(four), "data.max_seq_len": 32})
    packed = apart.with_overrides({"data.packing": True, "data.max_seq_len": 64, "train.batch_size": 2})
    assert (library.trainset(apart).n_rows, library.trainset(packed).n_rows) == (4, 2)
    assert library.trainset(apart).n_truncated == 0
    (_, one), (_, other) = one_step(library, apart), one_step(library, packed)
    for name in ("loss", "grad_norm", "n_tokens"):
        assert other[name] == pytest.approx(one[name], rel=1e-5)


def test_loss_is_the_mean_over_learned_tokens(library: ProgramLibrary, config: RunConfig) -> None:
    _, metrics = one_step(library, config)
    assert metrics["finite"]
    assert 4.0 < metrics["loss"] < 9.0  # a model that knows nothing: about the log of 384 tokens
    batch = library.trainset(config).batch(0, 0, 1, 4)
    assert metrics["n_tokens"] == (batch["segment_ids"] > 0).sum()


def test_a_step_that_is_not_finite_leaves_the_parameters_alone(library: ProgramLibrary, config: RunConfig) -> None:
    before = leaves(library.training_program(config).init(config.train.seed)[0])
    after, metrics = one_step(library, config, **{"train.learning_rate": np.asarray(np.inf, np.float32)})
    assert not metrics["finite"]
    assert all((a == b).all() for a, b in zip(before, leaves(after), strict=True))


def test_hyperparameters_reach_the_compiled_step(library: ProgramLibrary, config: RunConfig) -> None:
    before = leaves(library.training_program(config).init(config.train.seed)[0])

    def moved(**changed: np.ndarray) -> float:
        after, _ = one_step(library, config, **{f"train.{key}": value for key, value in changed.items()})
        return sum(float(np.abs(a - b).sum()) for a, b in zip(before, leaves(after), strict=True))

    usual = moved()
    assert moved(learning_rate=np.float32(6e-3)) == pytest.approx(2 * usual, rel=1e-3)
    assert moved(warmup_steps=np.int32(4)) == pytest.approx(usual / 4, rel=1e-3)
    assert moved(weight_decay=np.float32(100.0)) != pytest.approx(usual, rel=1e-3)


def test_lora_moves_the_adapters_only(library: ProgramLibrary, adapted: RunConfig) -> None:
    trainable, metrics = one_step(library, adapted)
    names = {jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in jax.tree.leaves_with_path(trainable)}
    assert len(names) == 7 * 3 and all(".lora." in name for name in names)  # a, b and magnitude of every projection
    assert metrics["finite"]
    opt_state = library.training_program(adapted).opt_state
    assert sum(leaf.size for leaf in jax.tree.leaves(opt_state)) < 3 * sum(leaf.size for leaf in leaves(trainable))


def test_float16_gradients_that_overflow_halve_the_scale_and_change_nothing_else(
    library: ProgramLibrary, config: RunConfig
) -> None:
    half = config.with_overrides({"train.dtype": "float16"})
    program, hp = library.training_program(half), hyperparameters(half)
    batch = library.trainset(half).batch(0, 0, 1, 4)
    trainable, frozen, (optimizer_state, _) = program.init(0)
    start, n_before = leaves(trainable), leaves(optimizer_state)
    scale, factors, overflowed = LossScale(np.float32(2.0**40), np.int32(0)), [], []
    while not overflowed or overflowed[-1]:
        trainable, (optimizer_state, scale), metrics = program.step(
            trainable, (optimizer_state, scale), frozen, batch, hp, np.int32(0)
        )
        factors.append(float(scale.factor))
        overflowed.append(bool(metrics["overflow"]))
        assert metrics["finite"] and np.isfinite(metrics["loss"])
        if overflowed[-1]:
            assert all((a == b).all() for a, b in zip(start, leaves(trainable), strict=True))
            assert all((a == b).all() for a, b in zip(n_before, leaves(optimizer_state), strict=True))
    n = overflowed.count(True)
    assert n > 3 and factors == [2.0 ** (40 - halved) for halved in [*range(1, n + 1), n]]
    assert not all((a == b).all() for a, b in zip(start, leaves(trainable), strict=True))
    assert all(np.isfinite(leaf).all() for leaf in leaves(trainable))
    assert int(scale.n_good) == 1


def test_float16_steps_as_float32_does(library: ProgramLibrary, config: RunConfig) -> None:
    _, wide = one_step(library, config)
    _, half = one_step(library, config.with_overrides({"train.dtype": "float16"}))
    assert half["loss"] == pytest.approx(wide["loss"], rel=2e-3)
    assert half["grad_norm"] == pytest.approx(wide["grad_norm"], rel=2e-2)


def test_the_scale_grows_after_many_good_steps_and_never_falls_below_one() -> None:
    scale = LossScale(np.float32(8), np.int32(GROW_AFTER - 2))
    scale = scale.after(np.bool_(True))
    assert (float(scale.factor), int(scale.n_good)) == (8, GROW_AFTER - 1)
    scale = scale.after(np.bool_(True))
    assert (float(scale.factor), int(scale.n_good)) == (16, 0)
    for _ in range(6):
        scale = scale.after(np.bool_(False))
    assert float(scale.factor) == SMALLEST
