"""From a config to the arrays that a run starts from."""

import json
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from podium.core import hashing
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from trainer.data.tokenizer import tokenizer_files
from trainer.export import save_hf
from trainer.model import base_model
from trainer.model.base_model import BaseModel, base_key, build_decoder, init_state, load_base, read_architecture
from trainer.model.sources import TINY, model_files
from trainer.programs.library import ProgramLibrary
from trainer.run.provenance import input_hashes

PLAIN = RunConfig()
LORA = PLAIN.with_overrides({"lora.enabled": True})


@pytest.fixture(scope="module")
def tiny() -> BaseModel:
    return load_base(PLAIN)


@pytest.fixture(scope="module")
def folder(tiny: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with weights, as a Hugging Face folder."""
    path = tmp_path_factory.mktemp("models") / "saved"
    save_hf(path, tiny, *init_state(tiny, PLAIN, 0), PLAIN.lora)
    return path


def equal(a: nnx.State, b: nnx.State) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


def test_tiny_is_what_it_says(tiny: BaseModel) -> None:
    trainable, frozen = init_state(tiny, PLAIN, 0)
    assert (tiny.model_id, tiny.params) == ("tiny", None)
    assert sum(leaf.size for leaf in jax.tree.leaves(trainable)) < 1_000_000
    assert jax.tree.leaves(frozen) == []
    assert {0} < set(tiny.arch.windows)  # a global layer and a windowed one
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(trainable))


def test_tinys_weights_follow_from_the_seed(tiny: BaseModel) -> None:
    first, again, other = (init_state(tiny, PLAIN, seed)[0] for seed in (0, 0, 1))
    assert equal(first, again)
    assert not equal(first, other)


def test_the_seed_may_be_traced(tiny: BaseModel) -> None:
    traced = jax.jit(lambda seed: init_state(tiny, PLAIN, seed))(jnp.int32(7))
    assert equal(traced[0], init_state(tiny, PLAIN, 7)[0])


def test_it_starts_near_even_odds(tiny: BaseModel) -> None:
    """Kernels have variance 1 / inputs, so activations neither grow nor fade with width."""
    kernels = init_state(tiny, PLAIN, 0)[0]["layers"]
    for name, inputs in (("q", tiny.arch.hidden_size), ("down", tiny.arch.mlp_size)):
        assert 0.95 < float(kernels[name]["kernel"][...].std()) * inputs**0.5 < 1.05


def test_adapters_change_neither_tinys_weights_nor_share_them(tiny: BaseModel) -> None:
    _, frozen = init_state(tiny, LORA, 3)
    assert equal(frozen, init_state(tiny, PLAIN, 3)[0])


def test_a_folder_loads_as_it_was_saved(tiny: BaseModel, folder: Path) -> None:
    base = load_base(PLAIN.with_overrides({"model.source": str(folder)}))
    assert base.arch == tiny.arch
    assert base.params is not None
    assert equal(base.params, init_state(tiny, PLAIN, 0)[0])
    assert base.tokenizer.sha256 == tiny.tokenizer.sha256
    assert base.model_id == str(folder)


def test_adapters_share_the_base_and_full_training_copies_it(folder: Path) -> None:
    config = LORA.with_overrides({"model.source": str(folder)})
    base = load_base(config)
    (_, frozen), (copied, _) = init_state(base, config, 0), init_state(base, PLAIN, 0)
    assert base.params is not None
    for ours, theirs in zip(jax.tree.leaves(frozen), jax.tree.leaves(base.params), strict=True):
        assert ours is theirs
    for ours, theirs in zip(jax.tree.leaves(copied), jax.tree.leaves(base.params), strict=True):
        assert ours.unsafe_buffer_pointer() != theirs.unsafe_buffer_pointer()
    assert equal(copied, base.params)


def test_a_frozen_base_has_the_dtype_of_the_computation(folder: Path) -> None:
    config = LORA.with_overrides({"model.source": str(folder), "train.dtype": "bfloat16"})
    base = load_base(config)
    trainable, frozen = init_state(base, config, 0)
    assert {leaf.dtype for leaf in jax.tree.leaves(frozen)} == {jnp.dtype(jnp.bfloat16)}
    assert {leaf.dtype for leaf in jax.tree.leaves(trainable)} == {jnp.dtype(jnp.float32)}
    full = config.with_overrides({"lora.enabled": False})
    assert {leaf.dtype for leaf in jax.tree.leaves(load_base(full).params)} == {jnp.dtype(jnp.float32)}


def test_the_key_of_a_base_is_what_its_arrays_depend_on() -> None:
    half = {"train.dtype": "bfloat16"}
    assert base_key(PLAIN) == base_key(PLAIN.with_overrides({"train.seed": 5, "train.batch_size": 2, **half}))
    assert base_key(LORA) != base_key(LORA.with_overrides(half))
    assert base_key(PLAIN) != base_key(PLAIN.with_overrides({"model.source": "elsewhere"}))
    assert base_key(PLAIN) != base_key(PLAIN.with_overrides({"model.revision": "v2"}))


def test_the_graph_depends_on_what_is_trained(tiny: BaseModel) -> None:
    assert build_decoder(tiny, PLAIN) == build_decoder(tiny, PLAIN.with_overrides({"lora.rank": 4}))
    assert build_decoder(tiny, LORA) == build_decoder(tiny, LORA.with_overrides({"lora.alpha": 3.0}))
    assert build_decoder(tiny, LORA) != build_decoder(tiny, PLAIN)


def test_a_model_folder_is_read_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By two runs of one model: config.json is parsed by the first, and each file is hashed by the first."""
    source = tmp_path / "model"
    shutil.copytree(folder, source)
    config, read, hashed = PLAIN.with_overrides({"model.source": str(source)}), [], []
    architecture, sha256_file = base_model.read_architecture, hashing.sha256_file
    monkeypatch.setattr(base_model, "read_architecture", lambda path: read.append(path) or architecture(path))
    monkeypatch.setattr(hashing, "sha256_file", lambda path: hashed.append(path.name) or sha256_file(path))
    library = ProgramLibrary()
    hashes = [input_hashes(library.base(config), None), input_hashes(library.base(config), None)]
    assert read == [source]
    assert sorted(hashed) == sorted(path.name for path in (*model_files(source), *tokenizer_files(source)))
    assert input_hashes(load_base(config), None) == hashes[0] == hashes[1]
    assert len(hashed) == len(set(hashed)), "nor does another library hash them again"


def test_the_hash_follows_the_files(tiny: BaseModel, folder: Path, tmp_path: Path) -> None:
    config = PLAIN.with_overrides({"model.source": str(folder)})
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert load_base(config).sha256 == load_base(config.with_overrides({"model.source": str(copy)})).sha256
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert load_base(config).sha256 != load_base(config.with_overrides({"model.source": str(copy)})).sha256
    assert load_base(config).sha256 != tiny.sha256


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"data.max_seq_len": 513}, "data.max_seq_len=513, must be <= 512, the positions of tiny"),
        (
            {"generate.max_prompt_tokens": 500, "generate.max_new_tokens": 20},
            "generate.max_prompt_tokens + generate.max_new_tokens=520, must be <= 512, the positions of tiny",
        ),
    ],
)
def test_sequences_beyond_the_positions_are_refused(tiny: BaseModel, overrides: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        build_decoder(tiny, PLAIN.with_overrides(overrides))
    assert str(caught.value) == message


def test_sequences_beyond_the_positions_are_refused_before_weights_are_read(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "no-weights", ignore=shutil.ignore_patterns("*.safetensors"))
    config = PLAIN.with_overrides({"model.source": str(tmp_path / "no-weights"), "data.max_seq_len": 513})
    with pytest.raises(UsageError, match=r"data\.max_seq_len=513, must be <= 512"):
        load_base(config)


def test_a_tokenizer_of_another_model_is_refused(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"vocab_size": 100}))
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(UsageError, match=r"config\.json says \(100, 128\) \(vocab_size, hidden_size\)"):
        load_base(PLAIN.with_overrides({"model.source": str(tmp_path), "model.tokenizer": str(TINY)}))
    (tmp_path / "config.json").write_text(json.dumps(config | {"vocab_size": 2}))
    with pytest.raises(UsageError, match=r"token '<eos>' has id 2, but the model has only vocab_size=2 tokens; "):
        load_base(PLAIN.with_overrides({"model.source": str(tmp_path), "model.tokenizer": str(TINY)}))


def test_the_tokenizer_may_have_a_token_more_than_the_model(folder: Path, tmp_path: Path) -> None:
    """As Gemma 3's has <image_soft_token>, id 262144 of a model with 262144 rows (transformers issue 37011)."""
    source = shutil.copytree(folder, tmp_path / "gemma3")
    values = json.loads((source / "tokenizer.json").read_text())
    rows = json.loads((source / "config.json").read_text())["vocab_size"]
    flags = {**dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False), "special": True}
    more = [f"<unused{number}>" for number in range(len(values["model"]["vocab"]), rows)] + ["<image_soft_token>"]
    first = rows + 1 - len(more)
    values["added_tokens"] += [{"id": first + n, "content": content, **flags} for n, content in enumerate(more)]
    (source / "tokenizer.json").write_text(json.dumps(values))
    tokenizer = load_base(PLAIN.with_overrides({"model.source": str(source)})).tokenizer
    assert tokenizer.encode(["1+1=?"]) == load_base(PLAIN).tokenizer.encode(["1+1=?"])
    for encode in (tokenizer.encode, tokenizer.encodings):
        with pytest.raises(UsageError) as caught:
            encode(["what is in <image_soft_token>?"])
        assert str(caught.value) == (
            f"{source}: token '<image_soft_token>' has id {rows}, but the model has only vocab_size={rows} tokens; "
            "take it out of the text, or give the tokenizer of the same model"
        )


@pytest.mark.parametrize(
    ("generation", "own", "ids"),
    [
        ({"eos_token_id": [0, 2]}, 2, (2, 0)),
        ({"eos_token_id": [1, 106, 106]}, 2, (2, 1, 106)),
        ({"eos_token_id": 7}, 2, (2, 7)),
        ({"eos_token_id": None}, 7, (2,)),
        ({}, 7, (2,)),
        ({"eos_token_id": [2, 100_000]}, 2, (2,)),  # no row of the model has the second
        (None, [2, 9], (2, 9)),  # without generation_config.json
        (None, None, (2,)),
    ],
)
def test_answers_end_at_the_tokens_that_the_model_names(
    folder: Path, tmp_path: Path, generation: dict[str, object] | None, own: object, ids: tuple[int, ...]
) -> None:
    source = shutil.copytree(folder, tmp_path / "model")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**config, "eos_token_id": own}))
    (source / "generation_config.json").unlink()
    if generation is not None:
        (source / "generation_config.json").write_text(json.dumps(generation))
    assert load_base(PLAIN.with_overrides({"model.source": str(source)})).end_ids == ids


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "holds list, must be an object of settings"),
        ("{", "not JSON"),
        ('{"eos_token_id": "2"}', "eos_token_id='2', must be a token id or a list of token ids"),
        ('{"eos_token_id": [2, -1]}', "eos_token_id=[2, -1], must be a token id"),
        ('{"eos_token_id": [true]}', "eos_token_id=[True], must be a token id"),
    ],
)
def test_malformed_end_tokens_are_one_line(folder: Path, tmp_path: Path, text: str, message: str) -> None:
    source = shutil.copytree(folder, tmp_path / "model")
    (source / "generation_config.json").write_text(text)
    with pytest.raises(UsageError) as caught:
        load_base(PLAIN.with_overrides({"model.source": str(source)}))
    assert str(caught.value).startswith(f"{source / 'generation_config.json'}:")
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"model_type": "gpt2"}',
            "model_type 'gpt2' is not supported; use model.source=tiny if you want a small model",
        ),
        ('{"model_type": "bert"}', "unknown model_type 'bert'; known: gemma, gemma2"),
        ('{"vocab_size": 3}', "has no model_type, so it is not a model's config"),
        ("[]", "has no model_type, so it is not a model's config"),
        ("{", "not JSON"),
        ('{"model_type": "llama", "hidden_size": "many"}', "hidden_size"),
        ('{"model_type": "llama", "hidden_act": "relu"}', "unknown activation 'relu'"),
    ],
)
def test_a_config_that_is_no_decoder_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_architecture(tmp_path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'config.json'}:")
    assert "\n" not in str(caught.value)
