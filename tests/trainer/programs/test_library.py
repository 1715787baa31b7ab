from collections.abc import Callable
from pathlib import Path

import jax
import pytest

from podium.core.clock import Deadline
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.states import State
from trainer.programs.compiler import CompileRequest
from trainer.programs.library import CACHE_HIT, ProgramLibrary
from trainer.run.training_run import TrainingRun

BACKEND_COMPILE = "/jax/core/compile/backend_compile_duration"


@pytest.fixture
def compiled_by_jax() -> list[float]:
    """Seconds of every compilation that JAX does from now on, helper programs included."""
    seconds: list[float] = []

    def note(event: str, duration: float, **_: object) -> None:
        if event == BACKEND_COMPILE:
            seconds.append(duration)

    jax.monitoring.register_event_duration_secs_listener(note)
    yield seconds
    jax.monitoring.unregister_event_duration_listener(note)


def whole_trial(config: RunConfig, out: Path, library: ProgramLibrary, samples: list, forever: Deadline) -> State:
    """All that a trial does on a device: train, save, resume elsewhere, train on, predict."""
    run = TrainingRun(config, out / "a", library)
    run.advance(2, forever)
    checkpoint = run.save()
    run.close()
    run = TrainingRun(config, out / "b", library)
    run.restore(checkpoint)
    state = run.advance(config.train.max_steps, forever).state
    assert len(run.predict(samples, forever)) == len(samples)
    run.close()
    return state


def test_a_second_run_with_the_same_program_key_compiles_nothing(
    tmp_path: Path,
    library: ProgramLibrary,
    config: RunConfig,
    make_samples: Callable,
    forever: Deadline,
    compiled_by_jax: list[float],
) -> None:
    short = config.with_overrides({"train.max_steps": 4})
    samples = make_samples("1+1=?", "2+2=?", "3+3=?", "4+4=?", "5+5=?")
    assert whole_trial(short, tmp_path / "first", library, samples, forever) is State.COMPLETE
    warm, compiles, seconds = len(compiled_by_jax), dict(library.compiles), library.compile_s
    other = short.with_overrides(
        {
            **{"train.learning_rate": 1e-4, "train.schedule": "constant", "train.warmup_steps": 2, "train.seed": 9},
            **{"train.weight_decay": 0.1, "train.beta2": 0.99, "train.label_smoothing": 0.1, "train.max_steps": 5},
            **{"train.clip_norm": 0.1, "train.final_lr_fraction": 0.5, "train.log_every_steps": 1},
            **{"generate.temperature": 0.7, "generate.top_p": 0.9, "generate.top_k": 5, "generate.seed": 3},
        }
    )
    assert other.program_key == short.program_key
    assert whole_trial(other, tmp_path / "second", library, samples, forever) is State.COMPLETE
    assert compiled_by_jax[warm:] == []
    assert (dict(library.compiles), library.compile_s) == (compiles, seconds)


def test_each_program_is_counted_once_with_its_shapes(
    config: RunConfig, tmp_path: Path, make_samples: Callable, forever: Deadline
) -> None:
    library = ProgramLibrary()  # of its own: other tests compile other shapes of this program key
    whole_trial(config.with_overrides({"train.max_steps": 4}), tmp_path, library, make_samples("1+1=?"), forever)
    found = {key[1:]: count for key, count in library.compiles.items() if key[0] == config.program_key}
    assert found == {
        ("init", "seed"): 1,
        ("train", "1x4x32"): 1,
        ("empty", "4"): 1,
        ("copies", "all"): 1,
        ("admit", "1x8"): 1,
        ("decode", "4x16"): 1,
    }
    assert library.compile_s > 0


def test_what_is_loaded_once_is_shared(library: ProgramLibrary, config: RunConfig) -> None:
    other = config.with_overrides({"train.learning_rate": 1e-5, "train.batch_size": 2})
    assert library.base(config) is library.base(other)
    assert library.trainset(config) is library.trainset(other)
    assert library.training_program(config) is not library.training_program(other)
    longer = config.with_overrides({"data.max_seq_len": 40})
    assert library.trainset(config) is not library.trainset(longer)


def test_a_missing_trainset_names_what_makes_it(home: Path, library: ProgramLibrary, config: RunConfig) -> None:
    rule = r"trainset 'nope' not found \(looked for .*\); `podium trainset build nope`"
    with pytest.raises(UsageError, match=rule):
        library.trainset(config.with_overrides({"data.trainset": "nope"}))
    assert list(home.iterdir()) == []


def test_answers_of_the_cache_on_disk_are_counted(library: ProgramLibrary) -> None:
    def found(x: jax.Array) -> jax.Array:
        jax.monitoring.record_event(CACHE_HIT)  # as JAX does where the cache has it; not every machine's cache keeps it
        return x + 1

    mesh = jax.make_mesh((1,), ("x",))
    place = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    one = jax.ShapeDtypeStruct((1,), "float32", sharding=place)
    hits = library.cache_hits
    library._compile(("key", "found", "f32[1]"), CompileRequest(found, (one,), place, mesh))
    assert library.cache_hits == hits + 1
