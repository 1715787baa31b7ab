"""A project of one's own data and model: what is written, what is refused, and that it runs as it is."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from podium.core.config import load_config
from podium.core.errors import PodiumError, UsageError
from podium.starter import priors
from podium.starter.project import init
from podium.starter.sizes import find_sizes
from tests.console import run
from tests.starter.small_model import write_small_model, write_sums
from trainer.plan.target import find_target
from tuning.search.load import load_space


@pytest.fixture
def here(home: Path) -> Path:
    write_small_model(home / "model")
    write_sums(home / "sums.jsonl")
    return home


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_project_for_own_data_and_model(here, monkeypatch):
    project = init(here / "mine", "sums.jsonl", "model")
    assert files(here / "mine") == {
        *("README.md", ".gitignore", "search_spaces/mine.yaml", "search_spaces/base/mine.yaml"),
        *("trainsets/mine/traces.jsonl", "trainsets/mine/manifest.json", "evalsets/mine.jsonl"),
    }
    facts = project.facts
    assert (project.format, facts.n_examples, facts.n_dev + facts.n_holdout) == ("prompt-response", 96, 24)
    assert facts.sizes.n_parameters == 35_552 and facts.sizes.memory.endswith("MB")
    monkeypatch.setenv("PODIUM_HOME", str(here / "mine"))
    monkeypatch.chdir(here / "mine")
    space = load_space("search_spaces/mine.yaml")
    assert space.base_config.model.source == str(here / "model")
    assert space.base_config.train.batch_size == 16
    assert space.metric == "dev/answer_correctness"
    assert list(space.parameters) == ["train.learning_rate", "train.weight_decay"]
    assert sorted(path.name for path in here.iterdir()) == ["mine", "model", "sums.jsonl"]  # nothing temporary


def test_the_built_in_data_and_a_target(here):
    project = init(here / "two", model="google/gemma-3-1b-it", target="kaggle-gpu-t4x2")
    assert project.format is None
    config = load_config(here / "two" / "search_spaces" / "base" / "two.yaml")
    assert (config.lora.enabled, config.budget.profile) == (True, "kaggle-gpu-t4x2")
    space = yaml.safe_load((here / "two" / "search_spaces" / "two.yaml").read_text())
    assert space["parameters"]["train.learning_rate"] == {"type": "float", "low": 2e-5, "high": 1e-3, "log": True}
    readme = (here / "two" / "README.md").read_text()
    assert "podium plan search_spaces/base/two.yaml --on kaggle-gpu-t4x2" in readme


def test_sizes_follow_from_the_memory_of_the_target(here):
    project = init(here / "data", "sums.jsonl")
    traces = here / "data" / "trainsets" / "data"
    samples = ()
    small, large = (
        find_sizes("google/gemma-2-2b-it", traces, 100, samples, find_target(target)) for target in ("t4", "h100")
    )
    assert small.n_parameters == large.n_parameters > 2e9
    assert small.batch_size <= large.batch_size == 16
    assert "tokenizer is not here" in large.note
    assert project.facts.sizes.note is None


def test_a_model_that_cannot_be_read_gives_a_guess(here, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    sizes = init(here / "mine", "sums.jsonl", "no-such/model").facts.sizes
    assert (sizes.n_parameters, sizes.lora, sizes.batch_size) == (None, True, 8)
    assert sizes.note.startswith("the batch size is a guess, since the model cannot be read here: ")
    assert load_config(here / "mine" / "search_spaces" / "base" / "mine.yaml").lora.enabled


def test_long_answers_are_compared_by_their_loss(here):
    rows = ({"prompt": f"Tell me about {i}.", "response": f"{i} is a number, and " + "so on " * 20} for i in range(40))
    (here / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    init(here / "long", "long.jsonl")
    space = yaml.safe_load((here / "long" / "search_spaces" / "long.yaml").read_text())
    assert space["metric"] == "dev/loss"


@pytest.mark.parametrize(
    ("folder", "options", "message"),
    [
        ("model", {}, "already exists and is not an empty folder; choose another, or remove it"),
        ("a b", {}, "project name 'a b': use 1 to 100 letters"),
        ("new", {"data": "absent.jsonl"}, "absent.jsonl does not exist; check the path"),
        ("new", {"data": "few.jsonl"}, "few.jsonl: has 3 examples, must have 8 or more"),
        ("new", {"model": "./absent"}, "the folder does not exist; check the path"),
        ("new", {"data": "bad.jsonl"}, "bad rows: 1 of 10"),
        ("new", {"target": "v9:1x1"}, "unknown TPU generation 'v9'"),
        ("tiny-reasoning", {"data": "sums.jsonl"}, "is the name of a recipe; choose another name"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(here, folder, options, message):
    write_sums(here / "few.jsonl", 3)
    write_sums(here / "bad.jsonl", 10)
    (here / "bad.jsonl").write_text((here / "bad.jsonl").read_text().replace('"5"', "null"))
    before = files(here)
    with pytest.raises(UsageError, match=re.escape(message)):
        init(here / folder, **options)
    assert files(here) == before and not (here / "new").exists()


def test_a_place_that_cannot_be_written_is_one_line():
    with pytest.raises(PodiumError, match=r"cannot write /proc/here/mine: .*; nothing was written"):
        init(Path("/proc/here/mine"))


def test_a_full_disk_leaves_nothing(here):
    # A limit on the size of files in place of a full disk: both refuse a write.
    done = run("ulimit -f 1; podium init mine", here, PODIUM_HOME="")
    assert done.returncode == 1
    assert done.stdout == (
        f"error: cannot write {here}/mine/trainsets/tiny-reasoning/traces.jsonl: File too large; nothing was changed\n"
    )
    assert {path.name for path in here.iterdir()} == {"model", "sums.jsonl"}


def test_the_priors_narrow_with_size():
    assert priors.learning_rate(30e3, False).low == 1e-4
    ranges = [priors.learning_rate(size, lora) for lora in (False, True) for size in (3e8, 3e9)]
    assert [prior.high for prior in ranges] == [1e-3, 1e-4, 5e-3, 1e-3]
    assert all(prior.low < prior.start < prior.high for prior in ranges)
    assert [priors.shown_size(n) for n in (35_680, 15_191_712, 999_885_952, 2.61e9, 5)] == [
        *("36 thousand", "15 million", "1.0 billion", "2.6 billion", "5")
    ]


def test_the_command_asks_on_a_terminal_only(here):
    command = [sys.executable, "-m", "podium.cli.main", "init", "asked"]
    main, terminal = pty.openpty()
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, cwd=here) as process:
        os.write(main, b"sums.jsonl\nmodel\n")
        process.wait()
    os.close(terminal)
    shown = os.read(main, 10_000).decode()
    os.close(main)
    assert process.returncode == 0, shown
    assert "Data file (empty: the built-in example): " in shown and "Model: a folder or a hub id" in shown
    assert "trainset     asked: 96 examples, read as prompt-response" in shown
    quiet = subprocess.run([*command[:-1], "quiet"], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=here)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert "trainset     tiny-reasoning: 6000 examples, built in" in quiet.stdout


@pytest.mark.slow
def test_the_four_commands_of_the_readme_run_as_they_are(here):
    done = run("podium init mine --data sums.jsonl --model model", here, PODIUM_HOME="")
    assert done.returncode == 0, done.stdout
    lines = re.findall(r"^podium .+", (here / "mine" / "README.md").read_text(), re.MULTILINE)
    assert [line.split()[1] for line in lines] == ["sweep", "show", "promote", "submit"]
    for line in lines:
        done = run(line, here / "mine", PODIUM_HOME="")
        assert done.returncode == 0, done.stdout
    assert (here / "mine" / "submission_runs" / "first" / "eval_summary.json").is_file()
