from datetime import date
from pathlib import Path
from typing import Any

import pytest

from podium.core.budgets.rules import check_device, check_rules
from podium.core.config import RunConfig
from podium.core.errors import UsageError

IN_TIME = date(2026, 1, 12)
GEMMA3 = {"model_type": "gemma3_text", "hidden_size": 1152, "num_hidden_layers": 26}


def config(**changes: Any) -> RunConfig:
    """A config that keeps every rule of the hackathon, but for `changes` by key with `__` for the dot."""
    rules = {
        "model.source": "google/gemma-3-1b-it",
        "budget.competition": "google-tunix-hackathon",
        "budget.profile": "kaggle-tpu-v5e-8",
        "generate.max_new_tokens": 1000,
    }
    return RunConfig().with_overrides(rules | {key.replace("__", "."): value for key, value in changes.items()})


def test_a_config_that_keeps_every_rule() -> None:
    assert check_rules(config(), today=IN_TIME, projected_s=9 * 3600) == {}


def test_without_a_competition_there_is_no_rule_and_the_hash_is_as_before() -> None:
    plain = config(budget__competition=None, model__source="tiny")
    assert check_rules(plain, today=date(2030, 1, 1), projected_s=1e9) == {}
    assert "competition" not in plain.model_dump(mode="json")["budget"]


@pytest.mark.parametrize(
    "source",
    [
        "google/gemma-2-2b",
        "google/gemma-2-2b-it",
        "google/gemma-3-1b-pt",
        "kaggle:google/gemma-2/flax/gemma2-2b-it",
        "kaggle:google/gemma-2/transformers/gemma-2-2b-it/2",
        "kaggle:google/gemma-3/transformers/gemma-3-1b-it/1",
    ],
)
def test_models_that_are_allowed(source: str) -> None:
    assert check_rules(config(model__source=source), today=IN_TIME) == {}


@pytest.mark.parametrize(
    "source",
    ["google/gemma-3-4b-it", "someone/gemma-3-1b-it", "tiny", "kaggle:google/gemma-2/flax/gemma2-9b-it", "google/1"],
)
def test_models_that_are_not(source: str) -> None:
    with pytest.raises(UsageError, match=r"compared by its name; google-tunix-hackathon allows .*, or --accept model$"):
        check_rules(config(model__source=source), today=IN_TIME)


def test_the_architecture_of_a_folder_decides_and_its_name_does_not(tmp_path: Path) -> None:
    folder = tmp_path / "google" / "gemma-2-2b"
    folder.mkdir(parents=True)
    mounted = config(model__source=str(folder))
    assert check_rules(mounted, architecture=GEMMA3, today=IN_TIME) == {}
    assert check_rules(mounted, architecture={"text_config": GEMMA3}, today=IN_TIME) == {}
    other = {**GEMMA3, "hidden_size": 2560}
    with pytest.raises(UsageError, match=r"has model_type gemma3_text, hidden_size 2560, num_hidden_layers 26; google"):
        check_rules(mounted, architecture=other, today=IN_TIME)


BROKEN = [
    ("output", {"generate__max_new_tokens": 1001}, {}, "generate.max_new_tokens=1001, must be <= 1000 in google-"),
    ("date", {}, {"today": date(2026, 1, 13)}, "google-tunix-hackathon ended on 2026-01-12, and today is 2026-01-13"),
    ("profile", {"budget__profile": "local"}, {}, "budget.profile=local, must be one of kaggle-tpu-v5e-8 in google-"),
    (
        "session",
        {},
        {"projected_s": 9 * 3600 + 1},
        "training and answers take 9.0 h where the trial ran, and a",
    ),
    ("model", {"model__source": "google/gemma-3-4b-it"}, {}, "model.source='google/gemma-3-4b-it', compared by its"),
]


@pytest.mark.parametrize(("rule", "changes", "facts", "line"), BROKEN)
def test_each_rule_is_one_line_and_can_be_accepted(
    rule: str, changes: dict[str, Any], facts: dict[str, Any], line: str
) -> None:
    facts = {"today": IN_TIME, **facts}
    with pytest.raises(UsageError) as raised:
        check_rules(config(**changes), **facts)
    message = str(raised.value)
    assert (message.startswith(line), message.endswith(f", or --accept {rule}")) == (True, True)
    found = check_rules(config(**changes), [rule], **facts)
    assert list(found) == [rule]
    assert found[rule].startswith(line)


def test_every_broken_rule_is_named() -> None:
    with pytest.raises(UsageError, match=r"^\(1\) generate.*--accept output; \(2\) budget\.profile.*--accept profile$"):
        check_rules(config(generate__max_new_tokens=2000, budget__profile="local"), today=IN_TIME)


def test_unknown_names() -> None:
    with pytest.raises(UsageError, match="--accept dates, must be one of model, output, date, profile, session"):
        check_rules(RunConfig(), ["dates"])
    with pytest.raises(UsageError, match=r"budget\.competition='arc', must be one of google-tunix-hackathon"):
        check_rules(config(budget__competition="arc"))


def test_former_names_of_profiles_are_the_competitions() -> None:
    assert check_rules(config(budget__profile="kaggle-tpu"), today=IN_TIME) == {}


@pytest.mark.parametrize(
    ("profile", "kind", "fits"),
    [
        ("kaggle-tpu-v5e-8", "tpu", True),
        ("kaggle-tpu-v5e-8", "auto", True),
        ("kaggle-tpu-v5e-8", "gpu", False),
        ("kaggle-gpu-t4x2", "gpu", True),
        ("kaggle-gpu-t4x2", "cpu", False),
        ("local", "cpu", True),
    ],
)
def test_profile_and_device_must_agree(profile: str, kind: str, fits: bool) -> None:
    chosen = RunConfig().with_overrides({"budget.profile": profile, "device.kind": kind})
    if fits:
        check_device(chosen)
        return
    with pytest.raises(UsageError, match=f"budget.profile={profile} with device.kind={kind}: its machine has .* set"):
        check_device(chosen)
