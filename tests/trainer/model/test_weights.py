"""Checkpoints of every family go in and out unchanged, and a wrong one is named by its tensor."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from podium.core.errors import UsageError
from trainer.device.sharding import mesh_of
from trainer.model import weights
from trainer.model.base_model import read_architecture
from trainer.model.weights import load_weights, save_weights

FIXTURES = Path(__file__).parents[2] / "fixtures" / "models"
FAMILIES = ("gemma", "gemma2", "gemma3_text", "llama", "llama_untied", "qwen2", "qwen3")
Tensors = dict[str, np.ndarray]


def load(folder: Path, family: str, dtype: str = "float32") -> nnx.State:
    return load_weights(folder, read_architecture(FIXTURES / family), jnp.dtype(dtype), mesh_of(jax.devices()[:1]))


def changed(tmp_path: Path, family: str, change: Callable[[Tensors], None]) -> Path:
    """A folder with the family's tensors after `change`."""
    tensors = load_file(FIXTURES / family / "model.safetensors")
    change(tensors)
    save_file(tensors, tmp_path / "model.safetensors")
    return tmp_path


def assert_equal(found: nnx.State, wanted: nnx.State) -> None:
    a, b = dict(nnx.to_flat_state(found)), dict(nnx.to_flat_state(wanted))
    assert a.keys() == b.keys()
    for path in a:
        assert a[path].dtype == b[path].dtype
        assert np.array_equal(a[path][...], b[path][...]), path


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_written_is_what_was_read(family: str, tmp_path: Path) -> None:
    """With the dtype of the file, the tensors come out bit for bit."""
    stored = load_file(FIXTURES / family / "model.safetensors")
    dtype = str(next(iter(stored.values())).dtype)
    save_weights(tmp_path, read_architecture(FIXTURES / family), load(FIXTURES / family, family, dtype))
    written = load_file(tmp_path / "model.safetensors")
    assert written.keys() == stored.keys()
    for name, tensor in stored.items():
        assert np.array_equal(written[name], tensor), name


def test_layers_are_stacked_in_order() -> None:
    stored = load_file(FIXTURES / "llama" / "model.safetensors")
    loaded = load(FIXTURES / "llama", "llama", "float16")
    for layer in range(3):
        assert np.array_equal(
            loaded["layers"]["o"]["kernel"][layer], stored[f"model.layers.{layer}.self_attn.o_proj.weight"]
        )


def test_values_are_cast_to_the_wanted_dtype() -> None:
    wide, narrow = (
        load(FIXTURES / "llama_untied", "llama_untied"),
        load(FIXTURES / "llama_untied", "llama_untied", "bfloat16"),
    )
    assert_equal(jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), wide), narrow)


def test_several_files_and_an_index(tmp_path: Path) -> None:
    arch, whole = read_architecture(FIXTURES / "qwen2"), load(FIXTURES / "qwen2", "qwen2")
    save_weights(tmp_path, arch, whole, max_shard_bytes=40_000)
    files = sorted(path.name for path in tmp_path.glob("*.safetensors"))
    assert len(files) > 2
    assert files[0] == f"model-00001-of-{len(files):05}.safetensors"
    assert all((tmp_path / file).stat().st_size < 45_000 for file in files)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sum(leaf.nbytes for leaf in jax.tree.leaves(whole))
    assert_equal(load_weights(tmp_path, arch, jnp.dtype("float32"), mesh_of(jax.devices()[:1])), whole)


@pytest.mark.parametrize("prefix", ["language_model.model.", "model.language_model."])
def test_the_text_part_of_a_model_with_vision(prefix: str, tmp_path: Path) -> None:
    def with_vision(tensors: Tensors) -> None:
        for name in list(tensors):
            tensors[prefix + name.removeprefix("model.")] = tensors.pop(name)
        tensors["vision_tower.patch.weight"] = tensors["multi_modal_projector.norm.weight"] = np.ones(3, np.float32)

    assert_equal(
        load(changed(tmp_path, "gemma3_text", with_vision), "gemma3_text"),
        load(FIXTURES / "gemma3_text", "gemma3_text"),
    )


def test_a_tied_head_may_be_stored_twice_and_frequencies_too(tmp_path: Path) -> None:
    def with_copies(tensors: Tensors) -> None:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].copy()
        tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(4, np.float32)

    assert_equal(load(changed(tmp_path, "llama", with_copies), "llama"), load(FIXTURES / "llama", "llama"))


def test_a_tied_head_that_differs_is_refused(tmp_path: Path) -> None:
    def with_another(tensors: Tensors) -> None:
        head = tensors["model.embed_tokens.weight"].copy()
        head[-1, -1] += 1
        tensors["lm_head.weight"] = head

    folder = changed(tmp_path, "llama", with_another)
    with pytest.raises(UsageError) as caught:
        load(folder, "llama")
    assert str(caught.value) == (
        f"{folder / 'model.safetensors'}: tensor lm_head.weight differs from model.embed_tokens.weight, "
        "but config.json says tie_word_embeddings=true; "
        "set it to false to use the stored head, or remove the tensor to use the embedding"
    )
    untied = replace(read_architecture(FIXTURES / "llama"), tied_head=False)
    loaded = load_weights(folder, untied, jnp.dtype("float16"), mesh_of(jax.devices()[:1]))
    assert np.array_equal(loaded["untied_head"], load_file(folder / "model.safetensors")["lm_head.weight"])


@pytest.mark.parametrize("int8", [False, True])
def test_pieces_make_up_the_whole(int8: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    arch, mesh = read_architecture(FIXTURES / "qwen2"), mesh_of(jax.devices()[:1])  # with biases
    whole = load_weights(FIXTURES / "qwen2", arch, jnp.dtype("float32"), mesh, int8)
    reads: list[tuple[int, int]] = []
    read = weights.StoredTensor.read
    monkeypatch.setattr(weights.StoredTensor, "read", lambda *place: reads.append(place[1:]) or read(*place))
    monkeypatch.setattr(weights, "PIECE_BYTES", 1000)
    assert_equal(load_weights(FIXTURES / "qwen2", arch, jnp.dtype("float32"), mesh, int8), whole)
    assert any(start > 0 for start, _ in reads)


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    folder = changed(tmp_path, "llama", lambda tensors: tensors.pop("model.layers.1.mlp.up_proj.weight"))
    with pytest.raises(UsageError) as caught:
        load(folder, "llama")
    rule = "is missing; download the model again, or give the matching config.json"
    assert str(caught.value) == f"{folder}: tensor model.layers.1.mlp.up_proj.weight {rule}"


def test_a_surplus_tensor_is_named(tmp_path: Path) -> None:
    folder = changed(tmp_path, "llama", lambda tensors: tensors.update({"model.layers.3.x.weight": np.ones(2)}))
    with pytest.raises(UsageError) as caught:
        load(folder, "llama")
    rule = (
        "tensor model.layers.3.x.weight is not in the model that config.json describes; give the matching config.json"
    )
    assert str(caught.value) == f"{folder / 'model.safetensors'}: {rule}"


def test_a_vocabulary_of_another_size_is_named(tmp_path: Path) -> None:
    def shorter(tensors: Tensors) -> None:
        tensors["model.embed_tokens.weight"] = tensors["model.embed_tokens.weight"][:100].copy()

    folder = changed(tmp_path, "llama", shorter)
    with pytest.raises(UsageError) as caught:
        load(folder, "llama")
    assert str(caught.value) == (
        f"{folder / 'model.safetensors'}: tensor model.embed_tokens.weight has shape (100, 32), "
        "config.json says (128, 32) (vocab_size, hidden_size); give the config.json and weights of the same model"
    )


def test_a_tensor_of_another_shape_is_named(tmp_path: Path) -> None:
    def wider(tensors: Tensors) -> None:
        tensors["model.layers.2.self_attn.k_proj.weight"] = np.ones((24, 32), np.float16)

    with pytest.raises(
        UsageError, match=r"model\.layers\.2\.self_attn\.k_proj\.weight has shape \(24, 32\), .* \(16, 32\)"
    ):
        load(changed(tmp_path, "llama", wider), "llama")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, "llama")
    assert str(caught.value) == f"model.safetensors is missing in {tmp_path}; weights are read from safetensors files"


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    save_weights(
        tmp_path, read_architecture(FIXTURES / "qwen2"), load(FIXTURES / "qwen2", "qwen2"), max_shard_bytes=40_000
    )
    second = sorted(tmp_path.glob("*.safetensors"))[1]
    second.unlink()
    with pytest.raises(UsageError, match=f"^{second.name} is missing in "):
        load(tmp_path, "qwen2")


@pytest.mark.parametrize("keep", [0, 4, 300, -1])
def test_a_truncated_file_is_named(keep: int, tmp_path: Path) -> None:
    whole = (FIXTURES / "llama" / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:keep])
    with pytest.raises(UsageError, match=r"model\.safetensors: not a safetensors file .*; download the model again"):
        load(tmp_path, "llama")


def test_a_corrupt_index_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(UsageError, match=r"index\.json: has no weight_map, so it is corrupt"):
        load(tmp_path, "llama")
