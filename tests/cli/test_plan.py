"""`podium plan` for this machine's CPU."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from podium.cli.main import main
from podium.core.errors import UsageError
from podium.planned import find_planned

CONFIG: dict[str, Any] = {
    "data": {"max_seq_len": 32},
    "train": {"batch_size": 2, "max_steps": 2},
    "generate": {"batch_size": 2, "max_prompt_tokens": 16, "max_new_tokens": 4},
}
SPACE = {
    "name": "small",
    "base": "config.yaml",
    "trials": 2,
    "parameters": {"train.batch_size": [2, 4], "train.learning_rate": {"type": "float", "low": 0.001, "high": 0.1}},
}


def run(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code


@pytest.fixture
def config(home: Path) -> str:
    (home / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    return "config.yaml"


@pytest.mark.slow
def test_a_table_or_json_and_an_exit_code(config: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("plan", config, "--on", "local") == 0
    shown = capfd.readouterr()
    assert "target: local, 1 x cpu, of unknown memory" in shown.out
    assert "train 1 x 2 x 32" in shown.out and "decode 2 x 4" in shown.out
    assert shown.out.count("\nfits: all 7 programs\n") == 1
    assert "compiled train 1 x 2 x 32" in shown.err
    assert run("plan", config, "--on", "local", "--json", "--set", "device.memory_gb=0.001", "--no-fix") == 1
    values = json.loads(capfd.readouterr().out)
    assert values["fits"] is False and values["limit_bytes"] == 10**6
    assert {program["function"] for program in values["plans"][0]["programs"]} > {"init", "train", "loss", "copies"}


def test_what_can_be_planned(config: str, home: Path) -> None:
    (home / "space.yaml").write_text(yaml.safe_dump(SPACE))
    (alone,) = find_planned(config, {"train.batch_size": 8}, 16).configs
    assert alone.train.batch_size == 8
    planned = find_planned("space.yaml", {}, 16)
    assert [each.train.batch_size for each in planned.configs] == [2, 4]
    assert planned.note == "small: 2 sets of programs, all that its trials can have"
    assert not planned.prompts(alone)  # every size is a number
    with pytest.raises(UsageError, match=r"'nothing' is no config or space \(a \.yaml file\), study or submission"):
        find_planned("nothing", {}, 16)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--on", "nowhere"), "error: target 'nowhere': must be a profile: local, kaggle-tpu-v5e-8"),
        (("--on", "NvidiaTeslaP100"), "accelerator 'NvidiaTeslaP100' is retired; Kaggle would run it on NvidiaTeslaT4"),
        (("--on", "kaggle-tpu-v5e-8", "--chips", "3"), "3 x tpu-v5e: its chips are not a grid that Podium knows"),
        (("--on", "local", "--set", "train.batch=8"), "unknown config key 'train.batch'"),
    ],
)
def test_bad_input_is_one_line(
    config: str, arguments: tuple[str, ...], line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("plan", config, *arguments) == 2
    shown = capfd.readouterr().err
    assert line in shown and shown.count("\n") == 1
