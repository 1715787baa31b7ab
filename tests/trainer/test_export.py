"""A Hugging Face folder out of a run (that its logits are the same is in test_parity.py)."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from podium.core.clock import Deadline
from podium.core.config import RunConfig
from podium.core.errors import PodiumError, UsageError
from trainer.data.tokenizer import Tokenizer
from trainer.export import export_run, save_hf
from trainer.model.base_model import BaseModel, init_state, load_base
from trainer.model.lora import merge
from trainer.model.weights import stored_dtype
from trainer.programs.library import ProgramLibrary
from trainer.run.training_run import TrainingRun

CONFIG = RunConfig().with_overrides({"lora.enabled": True})


@pytest.fixture(scope="module")
def tiny() -> BaseModel:
    return load_base(CONFIG)


def test_adapters_are_merged_into_what_is_saved(tiny: BaseModel, tmp_path: Path) -> None:
    trainable, frozen = init_state(tiny, CONFIG, 0)
    trainable = jax.tree.map(lambda leaf: leaf + 0.01, trainable)
    save_hf(tmp_path / "out", tiny, trainable, frozen, CONFIG.lora)
    loaded = load_base(RunConfig().with_overrides({"model.source": str(tmp_path / "out")}))
    wanted = merge(frozen, trainable, CONFIG.lora)
    for a, b in zip(jax.tree.leaves(loaded.params), jax.tree.leaves(wanted), strict=True):
        assert np.array_equal(a, b)


def test_config_and_tokenizer_come_along(tiny: BaseModel, tmp_path: Path) -> None:
    state = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), init_state(tiny, RunConfig(), 0)[0])
    save_hf(tmp_path / "out", tiny, state, nnx.State({}), RunConfig().lora)
    written = json.loads((tmp_path / "out" / "config.json").read_text())
    assert written == json.loads((tiny.folder / "config.json").read_text()) | {"dtype": "bfloat16"}
    assert Tokenizer(tmp_path / "out").sha256 == tiny.tokenizer.sha256
    names = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert [path.name for path in tmp_path.iterdir()] == ["out"]  # nothing temporary is left


def test_of_a_model_with_vision_the_text_part_is_saved(tiny: BaseModel, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    text = json.loads((tiny.folder / "config.json").read_text())
    config = {"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"], "text_config": text}
    (source / "config.json").write_text(json.dumps(config))
    (source / "generation_config.json").write_text('{"eos_token_id": [1, 106], "top_k": 64}')
    base = BaseModel(tiny.arch, None, tiny.tokenizer, "vision", source)
    save_hf(tmp_path / "out", base, init_state(tiny, RunConfig(), 0)[0], nnx.State({}), RunConfig().lora)
    assert json.loads((tmp_path / "out" / "config.json").read_text()) == text | {"dtype": "float32"}
    written = json.loads((tmp_path / "out" / "generation_config.json").read_text())
    assert written == {"eos_token_id": [2, 1, 106], "top_k": 64}  # with the tokenizer's EOS, which training teaches


def test_weights_are_rounded_to_the_wanted_dtype(tiny: BaseModel, tmp_path: Path) -> None:
    trainable, frozen = init_state(tiny, CONFIG, 0)
    for dtype in ("bfloat16", "float16", "float32"):
        save_hf(tmp_path / dtype, tiny, trainable, frozen, CONFIG.lora, dtype)
        assert stored_dtype(tmp_path / dtype) == dtype
        assert json.loads((tmp_path / dtype / "config.json").read_text())["dtype"] == dtype
    kernel = jax.tree.map(lambda leaf: leaf * 1e6, frozen)
    with pytest.raises(UsageError, match=r"tensor model\.\S+ has values up to \S+, too large for float16; "):
        save_hf(tmp_path / "overflow", tiny, trainable, kernel, CONFIG.lora, "float16")
    assert not (tmp_path / "overflow").exists()


def test_an_export_of_a_bfloat16_model_is_bfloat16(
    tiny: BaseModel, config: RunConfig, library: ProgramLibrary, forever: Deadline, tmp_path: Path
) -> None:
    save_hf(tmp_path / "bf16", tiny, *init_state(tiny, RunConfig(), 0), RunConfig().lora, "bfloat16")
    (tmp_path / "bf16" / "generation_config.json").write_text('{"eos_token_id": [0, 2]}')
    trained = config.with_overrides({"model.source": str(tmp_path / "bf16"), "train.max_steps": 1})
    run = TrainingRun(trained, tmp_path / "run", library)
    run.advance(1, forever)
    run.save()
    run.close()
    assert export_run(trained, tmp_path / "run", tmp_path / "out", library) == (1, "bfloat16")
    assert export_run(trained, tmp_path / "run", tmp_path / "wide", library, "float32") == (1, "float32")
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("bf16", "out", "wide")]
    assert sizes[0] == sizes[1] and sizes[2] > 1.9 * sizes[1]
    assert json.loads((tmp_path / "out" / "generation_config.json").read_text()) == {"eos_token_id": [2, 0]}


def test_a_folder_that_is_there_is_left_alone(tiny: BaseModel, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        save_hf(tmp_path, tiny, *init_state(tiny, CONFIG, 0), CONFIG.lora)
    assert str(caught.value) == f"{tmp_path} already exists; choose another folder"
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_refuses_leaves_nothing(tiny: BaseModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(PodiumError, match=r"cannot write .*; nothing was left there"):
        save_hf(tmp_path / "file" / "out", tiny, *init_state(tiny, CONFIG, 0), CONFIG.lora)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
