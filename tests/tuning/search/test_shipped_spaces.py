"""Every space and base config that ships: loaded, and tried on random weights of its family."""

import json
from pathlib import Path

import jax.numpy as jnp
import pytest
from safetensors.flax import load_file, save_file

from podium.core.budgets.profiles import load_profile
from podium.core.budgets.rules import check_device
from podium.core.config import RunConfig, load_config
from podium.core.paths import shipped, study_dir
from podium.core.states import State
from tests.console import ROOT
from trainer.data.trainsets import write_trainset
from trainer.recipes import trainset_recipe
from tuning.preview import preview
from tuning.search.load import load_space
from tuning.search.space import SearchSpace
from tuning.study.create import create
from tuning.workers.worker import Worker
from tuning.workers.worker_process import WorkerProcess

SPACES = sorted((shipped() / "search_spaces").glob("*.yaml"))
BASES = sorted((shipped() / "search_spaces/base").glob("*.yaml"))
FAMILIES = {"google/gemma-3": "gemma3_text", "google/gemma-2-": "gemma2", "google/gemma-2b": "gemma"}


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_a_shipped_space_draws_what_can_begin(path, home):  # noqa: ARG001
    space = load_space(path)
    assert 4 <= space.trials <= 20
    drawn = preview(space, 20)
    assert [refusal for _, refusal in drawn if refusal] == []
    assert len({str(overrides) for overrides, _ in drawn}) == 20


@pytest.mark.parametrize("path", BASES, ids=lambda path: path.stem)
def test_a_shipped_base_config_is_read(path):
    config = load_config(path)
    assert config.train.warmup_steps < config.train.max_steps
    if path.stem.startswith("submission_"):
        assert (config.data.trainset, config.eval.evalset) == ("dev-reasoning-v2", "eval_v2")
        assert config.lora.enabled


@pytest.fixture
def data(home) -> Path:
    recipe = trainset_recipe("dev-reasoning-v2")
    facts = {"name": "dev-reasoning-v2", "recipe": "dev-reasoning-v2", "recipe_version": "1", "seed": 42}
    write_trainset(home / "trainsets/dev-reasoning-v2", recipe.traces(42)[:24], **facts)
    return home


def random_model(config: RunConfig, folder: Path) -> Path:
    """A checkpoint of the family with random weights, the tiny tokenizer's vocabulary and room for real prompts."""
    family = next(name for prefix, name in FAMILIES.items() if config.model.source.startswith(prefix))
    shipped_with = ROOT / "tests/fixtures/models" / family
    values = json.loads((shipped_with / "config.json").read_text())
    weights = load_file(shipped_with / "model.safetensors")
    table = weights["model.embed_tokens.weight"]  # (vocab, hidden)
    weights["model.embed_tokens.weight"] = jnp.tile(table, (3, 1))
    folder.mkdir()
    save_file(weights, folder / "model.safetensors")
    larger = {"vocab_size": 3 * len(table), "max_position_embeddings": 512}
    (folder / "config.json").write_text(json.dumps({**values, **larger}))
    return folder


def smoke(config: RunConfig, home: Path) -> dict[str, object]:
    """Overrides that try the whole path within seconds: random weights, one example a step, short answers."""
    return {
        "model.source": str(random_model(config, home / "model")),
        "model.tokenizer": str(ROOT / "trainer/tiny"),
        "data.max_seq_len": 128,
        "data.template": "plain",
        "train.batch_size": 1,
        "generate.batch_size": 2,
        "generate.max_new_tokens": 8,
        "eval.max_items": 2,
        "device.kind": "cpu",
    }


def tried(space: SearchSpace, config: RunConfig) -> State:
    """Two steps and a report of a trial in a worker."""
    host = WorkerProcess(Worker, study_dir(create(space, None, Worker.check(space)).study_name))
    slot = host.attach(0, config, None)
    report = host.advance(slot, 2)
    host.detach(slot)
    assert report.step == 2, report.reason
    assert 0 <= report.metrics["dev/answer_correctness"] <= 100
    return report.state


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gemma3_1b", "gemma2_2b"])
def test_a_shipped_space_in_smoke_mode(name, data):
    space = load_space(f"search_spaces/{name}.yaml")
    overrides, _ = preview(space, 3)[2]
    config = space.config(overrides).with_overrides(smoke(space.base_config, data))
    assert tried(space.model_copy(update={"base_config": config}), config) is State.RUNNING


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [path for path in BASES if path.stem.startswith("submission_")], ids=lambda path: path.stem
)
def test_a_submission_base_config_in_smoke_mode(path, data):
    config = load_config(path)
    config = config.with_overrides(smoke(config, data))
    space = load_space("search_spaces/gemma3_1b.yaml").model_copy(update={"base_config": config})
    assert tried(space, config) is State.RUNNING


@pytest.mark.parametrize("path", BASES, ids=lambda path: path.stem)
def test_a_base_config_for_kaggle_names_its_device(path):
    config = load_config(path)
    check_device(config)
    profile = load_profile(config.budget.profile)
    assert profile.name == config.budget.profile  # not a former name
    assert config.device.kind == (profile.accelerator.kind if profile.accelerator else "auto")
