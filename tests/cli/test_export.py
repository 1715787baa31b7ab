"""A trained run as a Hugging Face folder, by the command."""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from podium.core.clock import Deadline
from podium.core.config import RunConfig
from podium.core.records import ReasoningTrace
from trainer.data.trainsets import write_trainset
from trainer.model.base_model import build_decoder, init_state
from trainer.programs.library import ProgramLibrary
from trainer.run.checkpoint import restore_tree
from trainer.run.training_run import TrainingRun
from trainer.step.loss import logits

Podium = Callable[..., object]


@pytest.fixture(scope="module")
def library() -> ProgramLibrary:
    return ProgramLibrary()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, library: ProgramLibrary) -> TrainingRun:
    """Adapters on the tiny model, saved after three steps."""
    folder = tmp_path_factory.mktemp("export")
    traces = [ReasoningTrace(prompt=f"{a}+1=?", final_answer=str(a + 1)) for a in range(9)]
    write_trainset(folder / "sums", traces, name="sums", recipe="test", recipe_version="1", seed=None)
    config = RunConfig().with_overrides(
        {
            **{"data.trainset": str(folder / "sums"), "data.max_seq_len": 16, "lora.enabled": True, "train.seed": 5},
            **{"train.max_steps": 3, "train.learning_rate": 0.03, "lora.rank": 2, "train.remat": "none"},
        }
    )
    training_run = TrainingRun(library.resolve(config, tuple), folder / "run", library)
    training_run.advance(3, Deadline.after(None))
    training_run.save()
    training_run.close()
    return training_run


def scores(config: RunConfig, library: ProgramLibrary, trainable: nnx.State, frozen: nnx.State) -> np.ndarray:
    """Logits (1, 10, vocab) of a fixed row."""
    graph = build_decoder(library.base(config), config)

    @jax.jit
    def forward(trainable: nnx.State, frozen: nnx.State) -> jax.Array:
        decoder = nnx.merge(graph, trainable, frozen)
        row = jnp.arange(5, 15)[None], jnp.arange(10)[None], jnp.ones((1, 10), jnp.int32)
        hidden, _ = decoder(*row, dtype=jnp.float32, lora_alpha=config.lora.alpha)
        return logits(hidden, decoder.head(), decoder.arch.final_softcap)

    return np.asarray(forward(trainable, frozen))


@pytest.mark.slow
def test_an_exported_run_reads_back_with_the_same_logits(
    podium: Podium, run: TrainingRun, library: ProgramLibrary, home: Path
) -> None:
    done = podium("export", "--run", run.out, "--out", "exported")
    assert done.code == 0, done.err
    assert done.out.startswith(f"tiny from {run.out} at step 3, adapters of rank 2 merged; ")
    assert done.out.endswith(" MB of float32 weights in exported\n")
    program = library.training_program(run.config)
    trained = restore_tree(run.out / "checkpoints" / "3", "trainable", program.trainable)
    wanted = scores(run.config, library, trained, program.frozen(5))
    plain = RunConfig().with_overrides({"model.source": str(home / "exported")})
    found = scores(plain, library, *init_state(library.base(plain), plain, 0))
    assert np.abs(found - wanted).max() < 1e-4
    start, frozen, _ = program.init(5)
    assert np.abs(scores(run.config, library, start, frozen) - wanted).max() > 1e-2  # it had learned something


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"--run": "nowhere"}, "nowhere/config.yaml does not exist"),
        ({"--out": "."}, "error: . already exists; choose another folder"),
        ({"--device": "gpu"}, "--device gpu: JAX found no gpu here"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    podium: Podium, run: TrainingRun, home: Path, changed: dict[str, str], message: str
) -> None:
    options = {"--run": str(run.out), "--out": "exported", **changed}
    done = podium("export", *(word for pair in options.items() for word in pair))
    assert done.code == 2 and message in done.err and done.err.count("\n") == 1
    assert list(home.iterdir()) == []


def test_a_run_without_a_checkpoint_is_refused(podium: Podium, run: TrainingRun, home: Path) -> None:
    (home / "empty").mkdir()
    (home / "empty" / "config.yaml").write_bytes((run.out / "config.yaml").read_bytes())
    done = podium("export", "--run", "empty", "--out", "exported")
    assert done.code == 2 and done.err.count("\n") == 1
    assert "empty has no checkpoints; `podium train CONFIG.yaml --out empty` makes them" in done.err
    assert [path.name for path in home.iterdir()] == ["empty"]
