"""The committed JSON Schemas of YAML files are those of the code, and refuse what the loader refuses."""

import json
from pathlib import Path

import jsonschema
import pytest

from podium.core.budgets.profiles import profiles
from podium.core.config import load_config, load_yaml
from podium.core.errors import UsageError
from podium.core.paths import shipped
from podium.core.yaml_text import parse_yaml, to_yaml
from podium.schemas import FOLDER, KINDS, schema_line, schema_path
from podium.schemas.written import schema_text
from tuning.search.load import load_space

SPACES = sorted(shipped().glob("search_spaces/*.yaml"))
CONFIGS = sorted(shipped().glob("search_spaces/base/*.yaml"))
SHIPPED = [
    *(("search_space", path) for path in SPACES),
    *(("run_config", path) for path in CONFIGS),
    ("profiles", shipped() / "podium/core/budgets/profiles.yaml"),
]
SPACE = """
name: mine
base: search_spaces/base/sft_tiny.yaml
overrides: {train.batch_size: 8}
metric: dev/loss
sampler: tpe
scheduler: {name: asha, grace_period: 50}
trials: 4
workers: 2
parameters:
  train.learning_rate: {type: loguniform, min: 1e-4, max: 0.03}
  train.max_steps: {type: int, low: 100, high: 300, step: 100}
  train.warmup_steps: "=0.1 * train.max_steps"
  train.optimizer: [adamw, sgd, muon]
  train.momentum: {type: float, low: 0.5, high: 0.95, when: {train.optimizer: [sgd, muon]}}
  train.beta1: {value: 0.85, when: {train.optimizer: adamw}}
  train.label_smoothing: 0.05
  lora.enabled: {type: choice, values: [true, false]}
start_with:
  - {train.learning_rate: 0.003}
stop: {patience: 3}
constraints: [train.max_steps * train.batch_size <= 2400]
"""
BROKEN_SPACES = {
    "unknown key": ("trials: 4", "trails: 4"),
    "unknown parameter": ("train.label_smoothing", "train.label_smothing"),
    "not searchable": ("train.label_smoothing: 0.05", "train.log_every_steps: [5, 10]"),
    "unknown sampler": ("sampler: tpe", "sampler: tpee"),
    "sampler without its path": ("sampler: tpe", "sampler: python"),
    "unknown option of a sampler": ("sampler: tpe", "sampler: {name: tpe, n_start: 3}"),
    "text for a number": ("trials: 4", "trials: many"),
    "no trials": ("trials: 4", "trials: 0"),
    "range without an end": ("low: 0.5, high: 0.95", "low: 0.5"),
    "one choice": ("values: [true, false]", "values: [true]"),
    "unknown metric": ("dev/loss", "dev/accuracy"),
    "wrong type of an override": ("train.batch_size: 8", "train.batch_size: large"),
    "workers below 1": ("workers: 2", "workers: 0"),
}
BROKEN_CONFIGS = (
    "trian: {max_steps: 5}",
    "train: {max_step: 5}",
    "train: {max_steps: 0}",
    "train: {max_steps: true}",
    "train: {optimizer: adam}",
    "lora: {targets: [q, w]}",
    "generate: {top_p: 1.5}",
    "data: {max_seq_len: long}",
    "model: tiny",
)
PROFILE = "mine: {accelerator: tpu-v5e, count: 8, session_h: 9, reserve_s: 60, rate: 0}"
BROKEN_PROFILES = (("v5e", "v9z"), ("session_h: 9", "session_h: 0"), ("rate: 0", "rates: 0"), ("count: 8", "count: 0"))


def errors(kind: str, values: object) -> list[str]:
    schema = json.loads(schema_path(kind).read_text())
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(values)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_committed_schema_is_that_of_the_code(kind):
    assert schema_path(kind).read_text() == schema_text(kind), "run `python -m podium.schemas`"
    jsonschema.Draft202012Validator.check_schema(json.loads(schema_text(kind)))


def test_every_committed_schema_is_of_a_kind_and_its_line_names_it():
    assert set(FOLDER.glob("*.json")) == {schema_path(kind) for kind in KINDS}
    for kind in KINDS:
        assert schema_line(kind) == f"# yaml-language-server: $schema=file://{schema_path(kind)}\n"


@pytest.mark.parametrize(("kind", "path"), SHIPPED, ids=lambda value: getattr(value, "name", value))
def test_a_shipped_file_is_valid_and_names_its_schema(kind, path):
    assert errors(kind, load_yaml(path)) == []
    named = path.read_text().splitlines()[0].partition("# yaml-language-server: $schema=")[2]
    assert Path(path.parent / named).resolve() == schema_path(kind)


def test_every_form_of_a_space_is_valid(tmp_path):
    assert errors("search_space", parse_yaml(SPACE)) == []
    own = "sampler: {python: 'my_samplers:make', seed: 1, options: {n: 2}}"
    assert errors("search_space", parse_yaml(SPACE.replace("sampler: tpe", own))) == []
    (tmp_path / "space.yaml").write_text(SPACE)
    assert load_space(tmp_path / "space.yaml").trials == 4
    of_function = SPACE.replace("metric: dev/loss", "metric: own/loss\ndirection: minimize")
    of_function = of_function.replace("train.batch_size: 8", "own.width: 8").replace("lora.enabled:", "own.width:")
    assert errors("search_space", parse_yaml(of_function)) == []


@pytest.mark.parametrize("mistake", BROKEN_SPACES)
def test_a_space_that_the_loader_refuses_is_not_valid(mistake, tmp_path):
    assert SPACE.count(BROKEN_SPACES[mistake][0]) == 1
    (tmp_path / "space.yaml").write_text(SPACE.replace(*BROKEN_SPACES[mistake]))
    assert errors("search_space", load_yaml(tmp_path / "space.yaml"))
    with pytest.raises(UsageError):
        load_space(tmp_path / "space.yaml")


@pytest.mark.parametrize("text", BROKEN_CONFIGS)
def test_a_config_that_the_loader_refuses_is_not_valid(text, tmp_path):
    (tmp_path / "config.yaml").write_text(text)
    assert errors("run_config", parse_yaml(text))
    with pytest.raises(UsageError):
        load_config(tmp_path / "config.yaml")


def test_a_resolved_config_is_valid():
    for path in CONFIGS:
        assert errors("run_config", parse_yaml(to_yaml(load_config(path).model_dump(mode="json")))) == []


@pytest.mark.parametrize("change", [None, *BROKEN_PROFILES])
def test_a_file_of_profiles_is_valid_if_the_loader_reads_it(change, tmp_path, monkeypatch):
    monkeypatch.setenv("PODIUM_WORKSPACE", str(tmp_path))
    text = PROFILE.replace(*change) if change else PROFILE
    (tmp_path / "profiles.yaml").write_text(text)
    assert bool(errors("profiles", parse_yaml(text))) == bool(change)
    if change:
        with pytest.raises(UsageError):
            profiles()
    else:
        assert profiles()["mine"].count == 8
